use std::{collections::BTreeSet, fs, path::Path};

use super::*;

/// Every variable that the specification names, as of August 2026: `specification/configuration/`
/// `sdk-environment-variables.md`, `specification/protocol/exporter.md` and `specification/metrics/sdk_exporters/otlp.md`;
/// and those of the semantic conventions that are not made for one library.
const SPECIFIED: &str = "
    OTEL_ATTRIBUTE_COUNT_LIMIT OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT OTEL_BLRP_EXPORT_TIMEOUT
    OTEL_BLRP_MAX_EXPORT_BATCH_SIZE OTEL_BLRP_MAX_QUEUE_SIZE OTEL_BLRP_SCHEDULE_DELAY OTEL_BSP_EXPORT_TIMEOUT
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE OTEL_BSP_MAX_QUEUE_SIZE OTEL_BSP_SCHEDULE_DELAY OTEL_CONFIG_FILE OTEL_ENTITIES
    OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT OTEL_EXPERIMENTAL_CONFIG_FILE OTEL_EXPORTER_OTLP_CERTIFICATE
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE OTEL_EXPORTER_OTLP_CLIENT_KEY OTEL_EXPORTER_OTLP_COMPRESSION
    OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_INSECURE
    OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY
    OTEL_EXPORTER_OTLP_LOGS_COMPRESSION OTEL_EXPORTER_OTLP_LOGS_ENDPOINT OTEL_EXPORTER_OTLP_LOGS_HEADERS
    OTEL_EXPORTER_OTLP_LOGS_INSECURE OTEL_EXPORTER_OTLP_LOGS_PROTOCOL OTEL_EXPORTER_OTLP_LOGS_TIMEOUT
    OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE
    OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY OTEL_EXPORTER_OTLP_METRICS_COMPRESSION
    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION OTEL_EXPORTER_OTLP_METRICS_ENDPOINT
    OTEL_EXPORTER_OTLP_METRICS_HEADERS OTEL_EXPORTER_OTLP_METRICS_INSECURE OTEL_EXPORTER_OTLP_METRICS_PROTOCOL
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE OTEL_EXPORTER_OTLP_METRICS_TIMEOUT
    OTEL_EXPORTER_OTLP_METRIC_INSECURE OTEL_EXPORTER_OTLP_PROTOCOL OTEL_EXPORTER_OTLP_SPAN_INSECURE
    OTEL_EXPORTER_OTLP_TIMEOUT OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE
    OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY OTEL_EXPORTER_OTLP_TRACES_COMPRESSION OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
    OTEL_EXPORTER_OTLP_TRACES_HEADERS OTEL_EXPORTER_OTLP_TRACES_INSECURE OTEL_EXPORTER_OTLP_TRACES_PROTOCOL
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT OTEL_EXPORTER_PROMETHEUS_HOST OTEL_EXPORTER_PROMETHEUS_PORT
    OTEL_EXPORTER_ZIPKIN_ENDPOINT OTEL_EXPORTER_ZIPKIN_PROTOCOL OTEL_EXPORTER_ZIPKIN_TIMEOUT
    OTEL_LINK_ATTRIBUTE_COUNT_LIMIT OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT
    OTEL_LOGS_EXPORTER OTEL_LOG_LEVEL OTEL_METRICS_EXEMPLAR_FILTER OTEL_METRICS_EXPORTER OTEL_METRIC_EXPORT_INTERVAL
    OTEL_METRIC_EXPORT_TIMEOUT OTEL_PROPAGATORS OTEL_RESOURCE_ATTRIBUTES OTEL_SDK_DISABLED OTEL_SERVICE_NAME
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT OTEL_SPAN_EVENT_COUNT_LIMIT
    OTEL_SPAN_LINK_COUNT_LIMIT OTEL_TRACES_EXPORTER OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG
    OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN OTEL_SEMCONV_STABILITY_OPT_IN
";

fn names() -> Vec<String> {
    variables().flat_map(|variable| variable.names()).collect()
}

#[test]
fn the_table_has_every_variable_of_the_specification_once() {
    let names = names();
    let distinct: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), names.len(), "a name is there twice");
    let missing: Vec<&str> = SPECIFIED
        .split_whitespace()
        .filter(|name| !distinct.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
    // What is not specified is the reference implementation's name, or ours.
    let own: Vec<&str> = distinct
        .into_iter()
        .filter(|name| !SPECIFIED.split_whitespace().any(|known| known == *name))
        .filter(|name| !name.starts_with("TELEMETRY_"))
        .collect();
    assert_eq!(own, ["OTEL_ENABLED", "RUST_LOG"]);
}

#[test]
fn every_line_is_whole() {
    for line in TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let variable = Variable::parse(line);
        let Some(variable) = variable else {
            panic!("{line}");
        };
        assert_eq!(line.matches('|').count(), 4, "{line}");
        let explained = !variable.meaning.is_empty();
        match variable.by {
            By::Nobody => assert!(explained && variable.allowed.is_empty(), "{line}"),
            By::Sdk | By::Us => assert!(!variable.allowed.is_empty(), "{line}"),
        }
    }
}

/// A variable that the code reads and the table does not know, or the other way round, is a mistake.
#[test]
fn the_table_says_what_the_code_does() {
    let mut read = BTreeSet::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut read,
    );
    let names = names();
    let unknown: Vec<&String> = read.iter().filter(|name| !names.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // Names that are put together where they are read have their last part in the code.
    let is_read = |name: &str| {
        read.contains(name)
            || name.starts_with("OTEL_EXPORTER_OTLP_")
            || name.ends_with("_EXPORTER")
            || name.starts_with("OTEL_BSP_")
            || name.starts_with("OTEL_BLRP_")
    };
    let ours = variables().filter(|variable| variable.by == By::Us);
    let integrations = [
        "TELEMETRY_JOBS_BAGGAGE",
        "TELEMETRY_PAGE_PORT",
        "TELEMETRY_TRUSTED_HOSTS",
    ];
    for name in ours.flat_map(|variable| variable.names()) {
        assert!(
            is_read(&name) || integrations.contains(&&*name),
            "nobody reads {name}"
        );
    }
}

/// Names of variables in the source under `folder`, tests aside.
fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "variables" && name != "tests" {
                collect(&path, names);
            }
        } else if name != "tests.rs" && name != "testing.rs" {
            let text = fs::read_to_string(&path).expect("source");
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            names.extend(
                code.split('"')
                    .filter(|part| is_a_variable(part))
                    .map(str::to_owned),
            );
        }
    }
}

fn is_a_variable(text: &str) -> bool {
    ["OTEL_", "RUST_LOG", "TELEMETRY_"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
        && text
            .chars()
            .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        && !["OTEL_BSP", "OTEL_BLRP"].contains(&text)
}

#[test]
fn the_help_shows_what_is_set_but_no_header_and_no_credential() {
    let env = Env::new(|name| {
        let value = match name {
            "OTEL_EXPORTER_OTLP_HEADERS" | "OTEL_EXPORTER_OTLP_TRACES_HEADERS" => {
                "authorization=s3cret"
            }
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" => "https://me:s3cret@collector:4317",
            "OTEL_TRACES_SAMPLER" => "always_off",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let help = help_of(&env);
    for line in [
        "  OTEL_SDK_DISABLED\n          true: work as usual, record and export nothing\n          true, false [false]\n",
        "  OTEL_ENTITIES (not supported)\n          the SDK knows no entities yet; OTEL_RESOURCE_ATTRIBUTES sets the same attributes\n",
        "  OTEL_EXPORTER_OTLP_ENDPOINT (read by the SDK)\n",
        "          for one signal: OTEL_EXPORTER_OTLP_{TRACES,METRICS,LOGS}_ENDPOINT\n",
        "          now OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=\"https://collector:4317\"\n",
        "          now OTEL_EXPORTER_OTLP_HEADERS=(not shown)\n",
        "          now OTEL_EXPORTER_OTLP_TRACES_HEADERS=(not shown)\n",
        "          now OTEL_TRACES_SAMPLER=\"always_off\"\n",
        "\nWhere to:\n",
    ] {
        assert!(help.contains(line), "{line}\nis not in\n{help}");
    }
    assert_eq!(help.matches("          now ").count(), 4);
    assert!(!help.contains("s3cret"), "{help}");
}

#[test]
fn what_nobody_honours_is_said_once_it_is_set() {
    let mut env = Env::new(|name| (name == "OTEL_CONFIG_FILE").then(|| "otel.yaml".to_owned()));
    warn_of_unsupported(&mut env);
    assert_eq!(
        env.warnings,
        ["OTEL_CONFIG_FILE is not supported: the SDK reads no configuration file yet"]
    );
}

//! Every environment variable of telemetry in one table: those that the SDK and the exporters read themselves, those that
//! are honoured here, and those that nobody honours yet.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use std::fmt::Write as _;

/// Who honours a variable.
enum By {
    Sdk,
    Service,
    Nobody,
}

/// Name (`*` stands for TRACES, METRICS, LOGS), who honours it, and its meaning with the [default], or why nobody does.
const TABLE: &[(&str, By, &str)] = &[
    (
        "OTEL_SDK_DISABLED",
        By::Service,
        "true: work as usual, record and export nothing [false]",
    ),
    (
        "OTEL_ENABLED",
        By::Service,
        "false: the same as OTEL_SDK_DISABLED=true [true]",
    ),
    (
        "OTEL_SERVICE_NAME",
        By::Service,
        "service.name; wins over everything [the package's name]",
    ),
    (
        "OTEL_RESOURCE_ATTRIBUTES",
        By::Service,
        "key=value,...; percent-encoded",
    ),
    (
        "OTEL_TRACES_EXPORTER",
        By::Service,
        "list of otlp, console, none [otlp]",
    ),
    (
        "OTEL_METRICS_EXPORTER",
        By::Service,
        "list of otlp, console, none [otlp]",
    ),
    (
        "OTEL_LOGS_EXPORTER",
        By::Service,
        "list of otlp, console, none [otlp]; the console shows logs in any case",
    ),
    (
        "OTEL_PROPAGATORS",
        By::Service,
        "list of tracecontext, baggage, or none [tracecontext,baggage]",
    ),
    (
        "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN",
        By::Service,
        "exceptions as logs or logs/dup [span events]",
    ),
    (
        "OTEL_TRACES_SAMPLER",
        By::Sdk,
        "always_on, always_off, traceidratio, parentbased_... [parentbased_always_on]",
    ),
    ("OTEL_TRACES_SAMPLER_ARG", By::Sdk, "the ratio, 0.0 to 1.0"),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        By::Sdk,
        "[http://localhost:4317, over HTTP :4318]; per signal: ..._*_ENDPOINT",
    ),
    (
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        By::Service,
        "grpc, http/protobuf [grpc]; per signal: ..._*_PROTOCOL",
    ),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        By::Sdk,
        "key=value,...; per signal; never logged",
    ),
    (
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        By::Sdk,
        "milliseconds [10000]; per signal",
    ),
    (
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        By::Sdk,
        "gzip [none]; per signal",
    ),
    (
        "OTEL_EXPORTER_OTLP_INSECURE",
        By::Sdk,
        "true: plain text where the endpoint names no scheme; per signal",
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        By::Sdk,
        "cumulative, delta, lowmemory [cumulative]",
    ),
    (
        "OTEL_METRIC_EXPORT_INTERVAL",
        By::Sdk,
        "milliseconds [60000]",
    ),
    (
        "OTEL_BSP_*, OTEL_BLRP_*",
        By::Sdk,
        "SCHEDULE_DELAY, MAX_QUEUE_SIZE, MAX_EXPORT_BATCH_SIZE of the batch processors",
    ),
    (
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        By::Sdk,
        "[128]; also ..._EVENT_..., ..._LINK_...",
    ),
    (
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        By::Nobody,
        "the SDK has no such limit yet",
    ),
    (
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        By::Nobody,
        "TLS trusts the system's roots",
    ),
    (
        "OTEL_METRICS_EXEMPLAR_FILTER",
        By::Nobody,
        "the SDK has no exemplars yet",
    ),
    (
        "OTEL_CONFIG_FILE",
        By::Nobody,
        "the SDK reads no configuration file yet",
    ),
    (
        "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
        By::Service,
        "methods that signals may name [RFC 9110's, PATCH, QUERY]",
    ),
    (
        "RUST_LOG",
        By::Service,
        "levels of logs by target, such as info,sqlx=debug [info]; spans do not depend on it",
    ),
    (
        "TELEMETRY_LOG_FORMAT",
        By::Service,
        "pretty, json, auto: pretty on a terminal [auto]",
    ),
    (
        "TELEMETRY_EXCLUDED_PATHS",
        By::Service,
        "paths without telemetry [/health,/healthz,/ready,/readyz]",
    ),
    (
        "TELEMETRY_INBOUND_CONTEXT",
        By::Service,
        "continue: requests go on in their callers' traces; link, where anyone may call: each begins its own trace, linked to \
         its caller's, and inbound baggage is dropped [continue]",
    ),
    (
        "TELEMETRY_JOBS_BAGGAGE",
        By::Service,
        "keys of baggage that travel with a background job, such as tenant,plan []",
    ),
    (
        "TELEMETRY_TRUSTED_HOSTS",
        By::Service,
        "hosts that baggage may be sent to, such as api.example.com,.internal []",
    ),
];

/// Every variable of telemetry: name, who honours it where that is not this crate, meaning and [default]. For `--help`.
#[must_use]
pub fn help() -> String {
    let mut text = String::from("Telemetry (environment only):\n");
    for (name, by, meaning) in TABLE {
        let by = match by {
            By::Sdk => " (read by the SDK)",
            By::Service => "",
            By::Nobody => " (not supported)",
        };
        writeln!(text, "  {name}{by}\n          {meaning}")
            .expect("writing to a String cannot fail");
    }
    text
}

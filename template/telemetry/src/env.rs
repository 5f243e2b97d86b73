//! Every environment variable of telemetry: one table, one way to read it.
//!
//! The SDK and the OTLP exporters read some standard variables themselves; the rest of the specification
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>) is honoured here. A bad value
//! never stops the service: it is warned about once, with what is allowed, and the default is used.

use std::{fmt::Write as _, path::PathBuf, sync::OnceLock, time::Duration};

/// What is selected for each signal when its `OTEL_*_EXPORTER` is unset.
const DEFAULT_EXPORTER: &str = "otlp";

type Lookup = dyn Fn(&str) -> Option<String>;

/// Reads variables and gathers what is wrong with them, since no log exists while telemetry is being set up.
pub(crate) struct Env {
    lookup: Box<Lookup>,
    pub(crate) warnings: Vec<String>,
}

impl Env {
    pub(crate) fn from_process() -> Self {
        Self::new(|name| std::env::var(name).ok().filter(|_| !is_void(name)))
    }

    pub(crate) fn new(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self {
            lookup: Box::new(lookup),
            warnings: Vec::new(),
        }
    }

    /// A variable's value. Empty counts as unset, as the specification has it.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&mut self, name: &str, default: bool) -> bool {
        match self
            .get(name)
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None => default,
            Some("true" | "1" | "yes" | "on") => true,
            Some("false" | "0" | "no" | "off") => false,
            Some(other) => {
                self.warn(
                    name,
                    other,
                    "true, false",
                    if default { "true" } else { "false" },
                );
                default
            }
        }
    }

    pub(crate) fn milliseconds(&mut self, name: &str, default: Duration) -> Duration {
        let Some(value) = self.get(name) else {
            return default;
        };
        value
            .parse()
            .map(Duration::from_millis)
            .unwrap_or_else(|_| {
                self.warn(
                    name,
                    &value,
                    "milliseconds as a whole number",
                    &default.as_millis().to_string(),
                );
                default
            })
    }

    /// A comma-separated list of words out of `allowed`; `default` where the variable is unset or holds a wrong word.
    pub(crate) fn words(
        &mut self,
        name: &str,
        allowed: &'static [&'static str],
        default: &'static str,
    ) -> Vec<&'static str> {
        let value = self.get(name).unwrap_or_else(|| default.to_owned());
        let mut words = Vec::new();
        for word in value
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match allowed
                .iter()
                .find(|known| known.eq_ignore_ascii_case(word))
            {
                Some(known) => words.push(*known),
                None => {
                    self.warn(name, word, &allowed.join(", "), default);
                    return default.split(',').collect();
                }
            }
        }
        words
    }

    fn warn(&mut self, name: &str, value: &str, allowed: &str, used: &str) {
        self.warnings.push(format!(
            "{name}={value:?} is not understood; allowed: {allowed}; using {used}"
        ));
    }
}

/// What the variables say, once.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) enabled: bool,
    pub(crate) traces: Signal,
    pub(crate) metrics: Signal,
    pub(crate) logs: Signal,
    pub(crate) propagators: Vec<&'static str>,
    pub(crate) exceptions: ExceptionSignal,
    pub(crate) log_format: LogFormat,
}

/// Where one signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) otlp: Option<Protocol>,
    pub(crate) console: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// Span events for exceptions are deprecated in favour of log records; services switch over when their backend can read
/// them: <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExceptionSignal {
    SpanEvents,
    Logs,
    Both,
}

impl ExceptionSignal {
    pub(crate) fn as_span_events(self) -> bool {
        self != Self::Logs
    }
    pub(crate) fn as_logs(self) -> bool {
        self != Self::SpanEvents
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Pretty,
    Json,
}

impl Settings {
    pub(crate) fn read(env: &mut Env) -> Self {
        let exceptions = match env
            .words(
                "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN",
                &["logs", "logs/dup"],
                "",
            )
            .first()
        {
            Some(&"logs") => ExceptionSignal::Logs,
            Some(_) => ExceptionSignal::Both,
            None => ExceptionSignal::SpanEvents,
        };
        let log_format = match env
            .words("TELEMETRY_LOG_FORMAT", &["auto", "pretty", "json"], "auto")
            .first()
        {
            Some(&"pretty") => LogFormat::Pretty,
            Some(&"json") => LogFormat::Json,
            _ if std::io::IsTerminal::is_terminal(&std::io::stdout()) => LogFormat::Pretty,
            _ => LogFormat::Json,
        };
        Self {
            enabled: env.flag("OTEL_ENABLED", true) && !env.flag("OTEL_SDK_DISABLED", false),
            traces: signal(env, "TRACES"),
            metrics: signal(env, "METRICS"),
            logs: signal(env, "LOGS"),
            propagators: env.words(
                "OTEL_PROPAGATORS",
                &["tracecontext", "baggage", "none"],
                "tracecontext,baggage",
            ),
            exceptions,
            log_format,
        }
    }
}

fn signal(env: &mut Env, signal: &str) -> Signal {
    let exporters = env.words(
        &format!("OTEL_{signal}_EXPORTER"),
        &["otlp", "console", "none"],
        DEFAULT_EXPORTER,
    );
    // The variable of the signal wins over the general one.
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL");
    let name = if env.get(&own).is_some() {
        own.as_str()
    } else {
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    };
    let protocol = match env.words(name, &["grpc", "http/protobuf"], "grpc").first() {
        Some(&"http/protobuf") => Protocol::HttpProtobuf,
        _ => Protocol::Grpc,
    };
    Signal {
        otlp: exporters.contains(&"otlp").then_some(protocol),
        console: exporters.contains(&"console"),
    }
}

/// The variables whose lines in `.env` say "show it here" and give way to a real collector.
const EXPORTERS: [&str; 3] = [
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_LOGS_EXPORTER",
];
const ENDPOINTS: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
];
static VOID: OnceLock<Vec<String>> = OnceLock::new();

fn is_void(name: &str) -> bool {
    VOID.get()
        .is_some_and(|void| void.iter().any(|line| line == name))
}

/// Loads `.env` from the current directory or one above it, for development: the process environment wins, and an OTLP
/// endpoint in it voids the file's `OTEL_*_EXPORTER` lines, so that naming a collector is all it takes to use it.
///
/// Call it first in `main`, before any thread runs. Returns the file that was read, if there is one.
///
/// # Errors
/// When the file cannot be read or a line of it is malformed.
pub fn load_dotenv() -> Result<Option<PathBuf>, dotenvy::Error> {
    if ENDPOINTS.iter().any(|name| is_set(name)) {
        let void = EXPORTERS
            .iter()
            .filter(|name| !is_set(name))
            .map(|&name| name.to_owned());
        VOID.get_or_init(|| void.collect());
    }
    match dotenvy::dotenv() {
        Ok(path) => Ok(Some(path)),
        Err(error) if error.not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Who honours a variable.
enum By {
    Sdk,
    Service,
    Nobody(&'static str),
}

/// Name (`*` stands for TRACES, METRICS, LOGS), who honours it, default and meaning.
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
        By::Nobody("the SDK has no such limit yet"),
        "",
    ),
    (
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        By::Nobody("TLS trusts the system's and webpki's roots"),
        "",
    ),
    (
        "OTEL_METRICS_EXEMPLAR_FILTER",
        By::Nobody("the SDK has no exemplars yet"),
        "",
    ),
    (
        "OTEL_CONFIG_FILE",
        By::Nobody("the SDK reads no configuration file yet"),
        "",
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
        "TELEMETRY_TRUSTED_HOSTS",
        By::Service,
        "hosts that baggage may be sent to, such as api.example.com,.internal []",
    ),
];

/// Every variable of telemetry, one a line: name, who honours it, meaning and [default]. For `--help`.
#[must_use]
pub fn help() -> String {
    let mut text = String::from("Telemetry (environment only):\n");
    for (name, by, meaning) in TABLE {
        let line = match by {
            By::Sdk | By::Service => writeln!(text, "  {name}\n          {meaning}"),
            By::Nobody(reason) => writeln!(text, "  {name}\n          not supported: {reason}"),
        };
        line.expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &'static [(&'static str, &'static str)]) -> Env {
        Env::new(move |name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_otlp_over_grpc_for_all_signals() {
        let mut env = env(&[("OTEL_TRACES_EXPORTER", "")]); // empty counts as unset
        let settings = Settings::read(&mut env);
        let otlp = Signal {
            otlp: Some(Protocol::Grpc),
            console: false,
        };
        assert!(settings.enabled);
        assert_eq!(
            (settings.traces, settings.metrics, settings.logs),
            (otlp, otlp, otlp)
        );
        assert_eq!(settings.propagators, ["tracecontext", "baggage"]);
        assert_eq!(env.warnings, [""; 0]);
    }

    #[test]
    fn lists_and_signal_variables_are_honoured() {
        let settings = Settings::read(&mut env(&[
            ("OTEL_TRACES_EXPORTER", "otlp, console"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"),
            ("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs/dup"),
        ]));
        assert_eq!(
            settings.traces,
            Signal {
                otlp: Some(Protocol::HttpProtobuf),
                console: true
            }
        );
        assert_eq!(
            settings.metrics,
            Signal {
                otlp: None,
                console: false
            }
        );
        assert_eq!(
            settings.logs,
            Signal {
                otlp: Some(Protocol::Grpc),
                console: false
            }
        );
        assert_eq!(settings.exceptions, ExceptionSignal::Both);
    }

    #[test]
    fn a_bad_value_warns_with_what_is_allowed_and_uses_the_default() {
        let mut env = env(&[
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_SDK_DISABLED", "maybe"),
        ]);
        let settings = Settings::read(&mut env);
        assert!(settings.enabled);
        assert_eq!(settings.traces.otlp, Some(Protocol::Grpc));
        assert_eq!(
            env.warnings,
            [
                r#"OTEL_SDK_DISABLED="maybe" is not understood; allowed: true, false; using false"#,
                r#"OTEL_TRACES_EXPORTER="zipkin" is not understood; allowed: otlp, console, none; using otlp"#,
            ]
        );
    }

    #[test]
    fn either_switch_turns_telemetry_off() {
        assert!(!Settings::read(&mut env(&[("OTEL_ENABLED", "false")])).enabled);
        assert!(!Settings::read(&mut env(&[("OTEL_SDK_DISABLED", "TRUE")])).enabled);
    }
}

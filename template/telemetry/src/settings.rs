//! What the environment says of telemetry, understood once.

use tracing::level_filters::LevelFilter;

use crate::{env::Env, propagation::InboundContext};

/// What is selected for each signal when its `OTEL_*_EXPORTER` is unset.
const DEFAULT_EXPORTER: &str = "otlp";

/// What the variables say, once.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) enabled: bool,
    pub(crate) traces: Signal,
    pub(crate) metrics: Signal,
    pub(crate) logs: Signal,
    pub(crate) propagators: Vec<&'static str>,
    pub(crate) inbound: InboundContext,
    pub(crate) exceptions: ExceptionSignal,
    pub(crate) log_format: LogFormat,
    /// What the SDK may say of itself on the console.
    pub(crate) sdk_logs: LevelFilter,
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
        let inbound = match env
            .words(
                "TELEMETRY_INBOUND_CONTEXT",
                &["continue", "link"],
                "continue",
            )
            .first()
        {
            Some(&"link") => InboundContext::Link,
            _ => InboundContext::Continue,
        };
        let levels = &["none", "error", "warn", "info", "debug", "trace"];
        // What matters of it is said in `watch`.
        let sdk_logs = env.words("OTEL_LOG_LEVEL", levels, "none");
        let sdk_logs = sdk_logs.first().and_then(|level| level.parse().ok());
        Self {
            enabled: env.switch("OTEL_ENABLED", true) && !env.flag("OTEL_SDK_DISABLED", false),
            traces: signal(env, "TRACES"),
            metrics: signal(env, "METRICS"),
            logs: signal(env, "LOGS"),
            propagators: env.words(
                "OTEL_PROPAGATORS",
                &["tracecontext", "baggage", "none"],
                "tracecontext,baggage",
            ),
            inbound,
            exceptions,
            log_format,
            sdk_logs: sdk_logs.unwrap_or(LevelFilter::OFF),
        }
    }
}

fn signal(env: &mut Env, signal: &str) -> Signal {
    let exporters = env.words(
        &format!("OTEL_{signal}_EXPORTER"),
        &["otlp", "console", "none"],
        DEFAULT_EXPORTER,
    );
    let name = env.otlp(signal, "PROTOCOL");
    let protocol = match env.words(&name, &["grpc", "http/protobuf"], "grpc").first() {
        Some(&"http/protobuf") => Protocol::HttpProtobuf,
        _ => Protocol::Grpc,
    };
    Signal {
        otlp: exporters.contains(&"otlp").then_some(protocol),
        console: exporters.contains(&"console"),
    }
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
            ("TELEMETRY_INBOUND_CONTEXT", "Link"),
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
        assert_eq!(settings.inbound, InboundContext::Link);
    }

    #[test]
    fn a_bad_value_warns_with_what_is_allowed_and_uses_the_default() {
        let mut env = env(&[
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_SDK_DISABLED", "maybe"),
            ("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "yes"),
            ("TELEMETRY_INBOUND_CONTEXT", "false"),
        ]);
        let settings = Settings::read(&mut env);
        assert!(settings.enabled);
        assert_eq!(settings.traces.otlp, Some(Protocol::Grpc));
        assert_eq!(settings.exceptions, ExceptionSignal::SpanEvents);
        assert_eq!(settings.inbound, InboundContext::Continue);
        assert_eq!(
            env.warnings,
            [
                r#"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN="yes" is not understood and ignored; allowed: logs, logs/dup"#,
                r#"TELEMETRY_INBOUND_CONTEXT="false" is not understood and ignored; allowed: continue, link"#,
                r#"OTEL_SDK_DISABLED="maybe" is not understood and ignored; allowed: true, false"#,
                r#"OTEL_TRACES_EXPORTER="zipkin" is not understood and ignored; allowed: otlp, console, none"#,
            ]
        );
    }

    #[test]
    fn the_sdk_says_as_much_as_it_may() {
        let level = |level: &'static str| {
            let mut env =
                Env::new(move |name| (name == "OTEL_LOG_LEVEL").then(|| level.to_owned()));
            Settings::read(&mut env).sdk_logs
        };
        assert_eq!(level(""), LevelFilter::OFF);
        assert_eq!(level("none"), LevelFilter::OFF);
        assert_eq!(level("WARN"), LevelFilter::WARN);
        assert_eq!(level("loud"), LevelFilter::OFF);
    }

    #[test]
    fn either_switch_turns_telemetry_off() {
        assert!(!Settings::read(&mut env(&[("OTEL_ENABLED", "false")])).enabled);
        assert!(!Settings::read(&mut env(&[("OTEL_ENABLED", "0")])).enabled);
        assert!(!Settings::read(&mut env(&[("OTEL_SDK_DISABLED", "TRUE")])).enabled);
    }

    /// <https://opentelemetry.io/docs/specs/otel/configuration/common/#boolean>
    #[test]
    fn nothing_but_true_is_true_to_the_specification() {
        for vars in [
            &[("OTEL_SDK_DISABLED", "1")],
            &[("OTEL_SDK_DISABLED", "yes")],
        ] {
            let mut env = env(vars);
            assert!(Settings::read(&mut env).enabled, "{vars:?}");
            assert_eq!(env.warnings.len(), 1, "{:?}", env.warnings);
        }
    }
}

//! Logs on the console, with the trace and session they belong to: lines for people on a terminal, JSON elsewhere.

mod words;

use std::{fmt, io::IsTerminal as _, str::FromStr as _, time::Duration};

use opentelemetry::{
    Context, InstrumentationScope,
    logs::LogRecord as _,
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord},
};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
        writer::BoxMakeWriter,
    },
    registry::LookupSpan,
};

use crate::{
    printable::printable_json, session::SessionId, settings::LogFormat, subscriber::Events,
};
use words::Words;

/// Which log lines are wanted, from `RUST_LOG`; default `info`. Of the SDK's own, those up to `sdk`.
pub(crate) fn targets(sdk: LevelFilter) -> Targets {
    wanted(&std::env::var("RUST_LOG").unwrap_or_default(), sdk)
}

fn wanted(wanted: &str, sdk: LevelFilter) -> Targets {
    // Libraries whose own logs stay silent unless `RUST_LOG` names them. The job library returns as errors what it logs.
    // Of a slow statement the span tells, and without the literals that sqlx's warning quotes. ureq logs whole URLs and
    // the bytes of answers, which may hold secrets.
    let silent = [
        ("opentelemetry", sdk),
        ("apalis_core", LevelFilter::OFF),
        ("sqlx", LevelFilter::ERROR),
        ("ureq", LevelFilter::OFF),
    ];
    let targets = match Targets::from_str(wanted) {
        Ok(targets) if !wanted.trim().is_empty() => targets,
        Ok(_) => Targets::new().with_default(LevelFilter::INFO),
        Err(error) => {
            // No subscriber exists yet that could carry this.
            eprintln!(
                "RUST_LOG={wanted:?} is not understood ({error}); using info. Example: info,sqlx=debug"
            );
            Targets::new().with_default(LevelFilter::INFO)
        }
    };
    // Quieter than the rest, never louder.
    let rest = targets.default_level().unwrap_or(LevelFilter::OFF);
    silent
        .iter()
        .chain(crate::http_server::QUIET)
        .filter(|(krate, _)| !wanted.contains(krate.trim_end_matches(':')))
        .fold(targets, |targets, (krate, level)| {
            targets.with_target(*krate, rest.min(*level))
        })
}

/// Whether `target` belongs to what carries telemetry itself. Its spans and logs are never exported: each export would
/// cause the next.
pub(crate) fn is_transport(target: &str) -> bool {
    let krate = target.split(':').next().unwrap_or(target);
    krate.starts_with("opentelemetry")
        || matches!(
            krate,
            "h2" | "hyper"
                | "hyper_util"
                | "reqwest"
                | "rustls"
                | "tokio_rustls"
                | "tonic"
                | "tower"
        )
}

/// Log lines. Spans are not shown here and not even visited: formatting their fields for every request would
/// cost more than the trace.
pub(crate) fn console_layer<S>(
    targets: Targets,
    format: LogFormat,
    console: BoxMakeWriter,
) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(format == LogFormat::Pretty && std::io::stdout().is_terminal())
        .event_format(Line { format })
        .with_writer(console);
    Events {
        layer: lines,
        wants: move |metadata: &Metadata<'_>| {
            targets.would_enable(metadata.target(), metadata.level())
        },
    }
}

struct Line {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let span = Context::map_current(|context| context.span().span_context().clone());
        match self.format {
            LogFormat::Json => {
                let line = json(event, &span).to_string();
                writeln!(writer, "{}", printable_json(&line))
            }
            LogFormat::Pretty => pretty(&mut writer, event, &span),
        }
    }
}

/// `12:03:41.123  INFO listening address=127.0.0.1:8080`, the trace id last where there is one.
fn pretty(writer: &mut Writer<'_>, event: &Event<'_>, span: &SpanContext) -> fmt::Result {
    let ansi = writer.has_ansi_escapes();
    let (dim, reset) = if ansi {
        ("\x1b[2m", "\x1b[0m")
    } else {
        ("", "")
    };
    let color = match (ansi, *event.metadata().level()) {
        (false, _) => "",
        (true, Level::ERROR) => "\x1b[31m",
        (true, Level::WARN) => "\x1b[33m",
        (true, Level::INFO) => "\x1b[32m",
        (true, _) => "\x1b[34m",
    };
    let now = now();
    let time = now.get(11..23).unwrap_or(&now);
    let level = event.metadata().level();
    write!(writer, "{dim}{time}{reset} {color}{level:>5}{reset} ")?;
    if event.fields().all(|field| field.name() != "message") {
        write!(writer, "{} ", event.metadata().name())?;
    }
    writer.write_str(&Words::of(event, ansi))?;
    if span.is_valid() {
        write!(writer, " {dim}trace_id={}{reset}", span.trace_id())?;
    }
    writeln!(writer)
}

/// One object a line: timestamp, level, target, message, the event's fields, and the ids that lead to its trace.
fn json(event: &Event<'_>, span: &SpanContext) -> Value {
    let metadata = event.metadata();
    let mut fields = Fields(Map::new());
    event.record(&mut fields);
    let mut line = fields.0;
    // Ours win over a field of the same name: a log line must not be able to claim another trace.
    line.insert("timestamp".to_owned(), now().into());
    line.insert("level".to_owned(), metadata.level().as_str().into());
    line.insert("target".to_owned(), metadata.target().into());
    line.entry("message")
        .or_insert_with(|| metadata.name().into());
    if span.is_valid() {
        line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
        line.insert("span_id".to_owned(), span.span_id().to_string().into());
    }
    if let Some(session) = SessionId::current() {
        line.insert("session.id".to_owned(), session.as_str().into());
    }
    Value::Object(line)
}

fn now() -> String {
    let mut text = String::new();
    // The only error is the writer's, and a String has none.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// An event's fields as JSON values.
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, value.to_string());
    }
}

/// Only events that were given a name keep one: for the rest the bridge sends the place in the source, which is none
/// (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-eventname>).
#[derive(Debug)]
pub(crate) struct EventNames;

impl LogProcessor for EventNames {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        if record
            .event_name()
            .is_some_and(|name| name.starts_with("event "))
        {
            record.set_event_name("");
        }
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spans_tell_is_logged_only_if_it_is_asked_for() {
        for (rust_log, target, level, is_wanted) in [
            ("", "service::web", Level::INFO, true),
            ("", "service::web", Level::DEBUG, false),
            ("", "sqlx::query", Level::WARN, false),
            ("", "sqlx::pool", Level::ERROR, true),
            ("warn", "sqlx::query", Level::WARN, false),
            ("off", "sqlx::pool", Level::ERROR, false),
            ("info,sqlx=debug", "sqlx::query", Level::DEBUG, true),
            ("info,sqlx::query=warn", "sqlx::query", Level::WARN, true),
            ("", "apalis_core::worker", Level::ERROR, false),
        ] {
            let targets = wanted(rust_log, LevelFilter::OFF);
            let enabled = targets.would_enable(target, &level);
            assert_eq!(enabled, is_wanted, "{rust_log:?} {target} {level}");
        }
    }

    #[test]
    fn what_carries_telemetry_is_told_from_what_is_called_alike() {
        for own in [
            "opentelemetry_sdk",
            "h2::proto",
            "hyper_util::client",
            "tonic",
            "reqwest::connect",
        ] {
            assert!(is_transport(own), "{own}");
        }
        for other in [
            "service::web",
            "h2o",
            "towers::north",
            "sqlx::query",
            "telemetry",
        ] {
            assert!(!is_transport(other), "{other}");
        }
    }
}

//! Sends one of each signal to where it is configured to go, and says in a sentence what became of it and how to mend it.

mod explain;
mod probe;
#[cfg(test)]
mod tests;

use std::{fmt, io, sync::Arc, time::Duration};

use opentelemetry::{
    logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    metrics::MeterProvider as _,
    trace::{Span as _, Tracer as _},
};
use opentelemetry_semantic_conventions::metric::PROCESS_UPTIME;

use self::explain::Target;
use crate::{
    env::Env,
    guard::{self, Service},
    page::Page,
    pipeline::Pipeline,
    resource,
    settings::{Settings, Signal},
};

/// Milliseconds for an export: the SDK waits for 5000 at most.
const LIMIT: &str = "4000";
const GOODBYE: Duration = Duration::from_millis(200);

/// What became of a span, a metric and a log record that were sent to see whether they arrive. Its text is a line for each
/// outcome.
#[derive(Debug, Default)]
pub struct Diagnosis {
    findings: Vec<Finding>,
}

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    signals: Vec<&'static str>,
    outcome: Outcome,
    sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accepted,
    NotSent,
    Lost,
}

impl Diagnosis {
    /// Whether something was sent, and all of that was accepted.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let has = |outcome| self.findings.iter().any(|found| found.outcome == outcome);
        has(Outcome::Accepted) && !has(Outcome::Lost)
    }

    /// What is the same for several signals is said once.
    fn add(&mut self, signal: &'static str, outcome: Outcome, sentence: String) {
        let mut known = self.findings.iter_mut();
        match known.find(|found| found.outcome == outcome && found.sentence == sentence) {
            Some(found) => found.signals.push(signal),
            None => self.findings.push(Finding {
                signals: vec![signal],
                outcome,
                sentence,
            }),
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, found) in self.findings.iter().enumerate() {
            let mark = match found.outcome {
                Outcome::Accepted => '✓',
                Outcome::NotSent => '-',
                Outcome::Lost => '✗',
            };
            let line_end = if index == 0 { "" } else { "\n" };
            let signals = found.signals.join(", ");
            write!(f, "{line_end}{mark} {signals}: {}", found.sentence)?;
        }
        Ok(())
    }
}

/// Sends a span, a metric and a log record by the settings of this process, whatever its sampler would say. Call it instead
/// of [`init`](crate::init).
///
/// # Errors
/// When the exporters' thread cannot be started.
pub async fn doctor(service: Service<'_>) -> io::Result<Diagnosis> {
    guard::choose_crypto();
    let process = Env::from_process();
    let mut env = Env::new(move |name| match name {
        "OTEL_TRACES_SAMPLER" | "OTEL_TRACES_SAMPLER_ARG" => None,
        "OTEL_BSP_EXPORT_TIMEOUT" | "OTEL_BLRP_EXPORT_TIMEOUT" | "OTEL_METRIC_EXPORT_TIMEOUT" => {
            Some(LIMIT.to_owned())
        }
        _ => process.get(name),
    });
    let mut settings = Settings::read(&mut env);
    for signal in [
        &mut settings.traces,
        &mut settings.metrics,
        &mut settings.logs,
    ] {
        signal.console = false; // nobody asked for these
    }
    let resource = resource::detect(&service, &mut env);
    let pipeline = Pipeline::build(&settings, &resource, &Page::closed(), &mut env)?;
    let pipeline = Arc::new(pipeline);
    let sending = pipeline.clone();
    let sent = tokio::task::spawn_blocking(move || send(&sending));
    sent.await.map_err(io::Error::other)?;

    let mut diagnosis = Diagnosis::default();
    let signals = [
        ("traces", settings.traces),
        ("metrics", settings.metrics),
        ("logs", settings.logs),
    ];
    for (name, signal) in signals {
        let (outcome, sentence) = examine(name, signal, &settings, &pipeline, &env).await;
        diagnosis.add(name, outcome, sentence);
    }
    // What there was to send has been sent, or cannot be.
    let ended = tokio::task::spawn_blocking(move || pipeline.shutdown(GOODBYE));
    ended.await.map_err(io::Error::other)?;
    Ok(diagnosis)
}

/// All three, side by side. What became of them stands in the pipeline's health.
fn send(pipeline: &Pipeline) {
    if let Some(tracer) = pipeline.tracer() {
        tracer.start("telemetry doctor").end();
    }
    if let Some(metrics) = pipeline.metrics() {
        let meter = metrics.meter("telemetry");
        let uptime = meter.f64_gauge(PROCESS_UPTIME).with_unit("s").build();
        uptime.record(0.0, &[]);
    }
    if let Some(logs) = pipeline.logger() {
        let logger = logs.logger("telemetry");
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Info);
        record.set_severity_text("INFO");
        record.set_body("telemetry doctor: does this arrive?".into());
        logger.emit(record);
    }
    pipeline.flush();
}

async fn examine(
    name: &'static str,
    signal: Signal,
    settings: &Settings,
    pipeline: &Pipeline,
    env: &Env,
) -> (Outcome, String) {
    let upper = name.to_uppercase();
    if !settings.enabled {
        let why = "telemetry is switched off by OTEL_SDK_DISABLED or OTEL_ENABLED";
        return (Outcome::NotSent, why.to_owned());
    }
    let Some(protocol) = signal.otlp else {
        let variable = format!("OTEL_{upper}_EXPORTER");
        let value = env.get(&variable).unwrap_or_default();
        let why = format!(
            "not sent, since {variable}={value}; `otlp` sends them, and so does OTEL_EXPORTER_OTLP_ENDPOINT where only .env says otherwise"
        );
        return (Outcome::NotSent, why);
    };
    let begin =
        |warning: &&String| warning.contains(" are not exported: ") && warning.contains(name);
    if let Some(warning) = env.warnings.iter().find(begin) {
        let why = warning.split_once(" are not exported: ");
        let why = why.map_or(warning.as_str(), |(_, why)| why);
        return (Outcome::Lost, why.to_owned());
    }
    let target = Target::of(env, &upper, protocol);
    match pipeline.failure(name) {
        None => (Outcome::Accepted, format!("accepted by {target}")),
        Some(error) => (Outcome::Lost, target.explain(&error, env).await),
    }
}

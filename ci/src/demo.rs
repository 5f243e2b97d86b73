//! What `demo` shows: a few traces as pictures, the metrics, the log records, and whether all of it is as it must be.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use console::Style;

use crate::contract::{Counts, Report, at_the_end};
use crate::scenario::{Recording, StepRecord};
use crate::signals::{Instrument, LogRecord, Measure, MetricPoint, Span};
use crate::waterfall::{dim, duration, table, waterfall};

/// The requests whose traces are drawn; a stack has those of them that it has the parts for.
const HEADLINES: [&str; 4] = ["user-found", "search", "external-ok", "external-error"];
/// Log records shown at most.
const LOG_LINES: usize = 8;

/// How long the steps before the telemetry took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    pub generated: Duration,
    pub built: Duration,
    pub ran: Duration,
}

#[derive(Debug)]
pub struct Story {
    pub stack: String,
    pub clock: Clock,
    /// The full one first.
    pub recordings: Vec<Recording>,
    pub report: Report,
}

impl Story {
    /// The same for a machine.
    pub fn json(&self) -> serde_json::Value {
        let seconds = |duration: Duration| duration.as_secs_f64();
        serde_json::json!({
            "stack": self.stack,
            "passed": self.report.passed(),
            "seconds": {
                "generate": seconds(self.clock.generated),
                "build": seconds(self.clock.built),
                "scenario": seconds(self.clock.ran),
                "stop": seconds(self.report.stopped_in),
            },
            "requests": self.report.requests,
            "expected": self.report.expected,
            "received": self.report.received,
            "contract": {
                "files": self.report.files,
                "differences": self.report.differences.iter().map(|difference| &difference.diff).collect::<Vec<_>>(),
                "breaches": self.report.breaches,
            },
            "conformance": self.report.conformance,
        })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(recording) = self.recordings.first() else {
            return Ok(());
        };
        writeln!(f, "{}\n", self.beginning(recording))?;
        let drawn: Vec<&StepRecord> = HEADLINES
            .iter()
            .filter_map(|name| {
                recording
                    .steps
                    .iter()
                    .find(|record| record.step.name == *name)
            })
            .collect();
        for record in &drawn {
            writeln!(f, "{}\n", picture(record, recording))?;
        }
        writeln!(
            f,
            "{}\n{}\n",
            headline("Metrics"),
            metrics(&recording.received.metrics)
        )?;
        writeln!(
            f,
            "{}\n{}\n",
            headline("Log records within a trace"),
            logs(&self.recordings)
        )?;
        writeln!(f, "{}", headline("Verdict"))?;
        write!(f, "{}", self.verdict(recording))
    }
}

impl Story {
    fn beginning(&self, recording: &Recording) -> String {
        let good = Style::new().green().apply_to("✓");
        let row = |what: &str, took: Duration, note: String| {
            format!(
                "{good} {what:<10} {:>8}  {}",
                duration(took),
                dim().apply_to(note)
            )
        };
        let steps = recording.steps.len();
        [
            row("generated", self.clock.generated, self.stack.clone()),
            row(
                "built",
                self.clock.built,
                "with one planted bug: a search for `panic-please` panics".to_owned(),
            ),
            row(
                "started",
                recording.started_in,
                format!("listening on {}", recording.service),
            ),
            row(
                "asked",
                self.clock.ran,
                format!(
                    "{steps} requests over OTLP/gRPC, {} more over OTLP/HTTP",
                    self.report.requests - steps
                ),
            ),
        ]
        .join("\n")
    }

    fn verdict(&self, recording: &Recording) -> String {
        let Report {
            expected, received, ..
        } = &self.report;
        let mark = |good: bool| {
            if good {
                Style::new().green().apply_to("✓")
            } else {
                Style::new().red().apply_to("✗")
            }
        };
        let lost = Counts {
            spans: expected.spans.saturating_sub(received.spans),
            metrics: expected.metrics.saturating_sub(received.metrics),
            logs: expected.logs.saturating_sub(received.logs),
        };
        let mut lines = vec![
            format!(
                "{} stopped    SIGTERM → exit 0 in {}, with {} of {} spans exported before it",
                mark(true),
                duration(recording.ended.took),
                recording.spans_before_stop,
                received.spans,
            ),
            format!(
                "{} received   spans {}/{} · metrics {}/{} · log records {}/{} · lost {}",
                mark(expected == received),
                received.spans,
                expected.spans,
                received.metrics,
                expected.metrics,
                received.logs,
                expected.logs,
                lost.spans + lost.metrics + lost.logs,
            ),
        ];
        let same = self.report.files - self.report.differences.len();
        let contract = self.report.differences.is_empty() && self.report.breaches.is_empty();
        lines.push(format!(
            "{} contract   {same} of {} files match",
            mark(contract),
            self.report.files
        ));
        let violations: usize = self
            .report
            .conformance
            .iter()
            .map(|report| report.violations.len())
            .sum();
        let signals: usize = self
            .report
            .conformance
            .iter()
            .map(|report| report.total().signals)
            .sum();
        lines.push(format!(
            "{} conforms   {signals} signals judged by the semantic conventions 1.44.0: {violations} violations",
            mark(violations == 0),
        ));
        if let Some(report) = self.report.conformance.first() {
            let total = report.total();
            let row = format!(
                "             required {} · conditional {} · recommended {} ({} missing for a stated reason)",
                total.required,
                total.conditional,
                total.recommended,
                report.waived.len(),
            );
            lines.push(dim().apply_to(row).to_string());
        }
        if !self.report.passed() {
            lines.push(format!("\n{}", self.report));
        }
        lines.join("\n")
    }
}

fn headline(text: &str) -> String {
    Style::new().bold().apply_to(text).to_string()
}

fn picture(record: &StepRecord, recording: &Recording) -> String {
    let trace = record.trace_id.as_deref();
    let spans: Vec<&Span> = recording
        .received
        .spans
        .iter()
        .filter(|span| Some(span.trace_id.as_str()) == trace)
        .collect();
    let status = record.answer.as_ref().map_or(0, |answer| answer.status);
    let request = &record.step.request;
    waterfall(
        &format!("{} {} → {status}", request.method, request.target),
        &spans,
    )
}

/// One row a metric, over all its series at the end of the run.
fn metrics(points: &[MetricPoint]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&MetricPoint>> = BTreeMap::new();
    for point in at_the_end(points) {
        by_name.entry(&point.name).or_default().push(point);
    }
    let rows: Vec<Vec<String>> = by_name
        .iter()
        .map(|(name, series)| {
            let first = series[0];
            let instrument = first.instrument.to_string();
            vec![(*name).to_owned(), instrument, first.unit.clone(), series.len().to_string(), told(series)]
        })
        .collect();
    table(&["metric", "instrument", "unit", "series", "value"], &rows)
}

/// How often and how long on average, or the sum.
fn told(series: &[&MetricPoint]) -> String {
    let (mut times, mut total) = (0, 0.0);
    for point in series {
        match &point.measure {
            Measure::Histogram { count, sum, .. } => {
                times += count;
                total += sum;
            }
            Measure::Number(number) => total += number,
        }
    }
    match series[0].instrument {
        Instrument::Histogram if times == 0 => "never".to_owned(),
        // Every histogram here measures seconds; a negative sum is for the conformance check to report.
        Instrument::Histogram => {
            let mean = Duration::try_from_secs_f64(total / times as f64).unwrap_or_default();
            format!("{times} × {}", duration(mean))
        }
        _ => total.to_string(),
    }
}

/// Records that belong to a trace, each with the span it was written in.
fn logs(recordings: &[Recording]) -> String {
    let mut lines = Vec::new();
    for recording in recordings {
        for log in recording
            .received
            .logs
            .iter()
            .filter(|log| log.trace_id.is_some())
        {
            lines.push(log_line(log, &recording.received.spans));
        }
    }
    let more = lines.len().saturating_sub(LOG_LINES);
    lines.truncate(LOG_LINES);
    if more > 0 {
        lines.push(dim().apply_to(format!("  … and {more} more")).to_string());
    }
    lines.join("\n")
}

fn log_line(log: &LogRecord, spans: &[Span]) -> String {
    let style = match log.severity {
        17.. => Style::new().red(),
        13..17 => Style::new().yellow(),
        _ => Style::new().green(),
    };
    let text = |key: &str| log.attributes.get(key).map(|value| value.to_string());
    let what = match (text("exception.type"), text("exception.message")) {
        (Some(kind), Some(message)) => {
            let kind = kind.rsplit("::").next().unwrap_or(&kind).to_owned();
            format!("{kind}: {message}")
        }
        _ => log.body.to_string(),
    };
    let what = console::truncate_str(what.lines().next().unwrap_or_default(), 52, "…").into_owned();
    let within = spans
        .iter()
        .find(|span| Some(&span.span_id) == log.span_id.as_ref());
    let trace = log.trace_id.as_deref().unwrap_or_default();
    let place = format!(
        "trace {}…  in {}",
        trace.get(..8).unwrap_or_default(),
        within.map_or("?", |span| &span.name)
    );
    format!(
        "  {} {what:<52} {}",
        style.apply_to(format!("{:>5}", log.severity_text)),
        dim().apply_to(place)
    )
}

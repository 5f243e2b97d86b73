//! What `demo` shows: a few traces as pictures, the metrics, the log records, and whether all of it is as it must be.

mod tables;

use std::fmt;
use std::time::Duration;

use console::Style;

use crate::contract::{Counts, Report};
use crate::scenario::{Outcome, Recording, StepRecord};
use crate::signals::Span;
use crate::signals::tree::linked;
use crate::waterfall::{dim, duration, waterfall};
use tables::{logs, metrics};

/// The requests whose traces are drawn: the first few that the stack has the parts for.
const HEADLINES: [&str; 6] = [
    "user-found",
    "job-retried",
    "search",
    "external-ok",
    "external-error",
    "panic",
];
const DRAWN: usize = 4;

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
    /// Whether to show what each rule of the conventions saw.
    pub rules: bool,
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
            .take(DRAWN)
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
        let drained = |record: &StepRecord| matches!(record.step.outcome, Outcome::Drained(_));
        let under_way = if recording.steps.iter().any(drained) {
            " with a request under way"
        } else {
            ""
        };
        let mut lines = vec![
            format!(
                "{} stopped    SIGTERM → exit 0 in {}{under_way}; {} of {} spans sent before",
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
        let violations = self.report.violations().len();
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
                "             required {} · conditional {} · recommended {} ({} attributes waived)",
                total.required,
                total.conditional,
                total.recommended,
                report.waived.len(),
            );
            lines.push(dim().apply_to(row).to_string());
        }
        if self.rules {
            lines.extend(
                self.report
                    .conformance
                    .iter()
                    .map(|report| format!("\n{report}")),
            );
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
    let trace = record.trace_id.as_deref().unwrap_or_default();
    let all = &recording.received.spans;
    let of = |trace: &str| -> Vec<&Span> {
        let spans = all.iter();
        spans.filter(|span| span.trace_id == trace).collect()
    };
    let status = record.answer.as_ref().map_or(0, |answer| answer.status);
    let request = &record.step.request;
    let status = request.outcome(status);
    let title = format!("{} {} → {status}", request.method, request.target);
    let mut pictures = vec![waterfall(&title, &of(trace))];
    for follower in linked(trace, all) {
        pictures.push(waterfall("and linked to it", &of(follower)));
    }
    pictures.join("\n")
}

//! What came of one fault, and which promise it broke.

use serde::Serialize;

use super::Answers;
use crate::stacks::Stack;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub stack: String,
    pub fault: String,
    pub protocol: &'static str,
    /// Requests that were sent, and those that failed without being meant to.
    pub requests: usize,
    pub failed: usize,
    /// Spans: ended by what was asked for, received, and lost by the service's own account.
    pub ended: usize,
    pub received: usize,
    pub lost: usize,
    /// Spans that the metrics of telemetry's own health count as lost, as far as they could be sent.
    pub counted: usize,
    pub warnings: usize,
    /// Milliseconds that half of the requests, and 99 of 100, took at most.
    pub median: f64,
    pub slowest: f64,
    /// MiB, from the first requests to the most there was.
    pub grown: f64,
    /// Seconds from SIGTERM to the end.
    pub stopped_in: f64,
    /// Sentences.
    pub broken: Vec<String>,
}

impl Row {
    pub fn of(stack: &Stack, fault: &str, protocol: &'static str) -> Self {
        Self {
            stack: stack.to_string(),
            fault: fault.to_owned(),
            protocol,
            ..Self::default()
        }
    }

    pub fn ok(&self) -> bool {
        self.broken.is_empty()
    }

    /// Counts requests that were all to succeed.
    pub fn count(&mut self, answers: &Answers) {
        self.requests += answers.answered() + answers.cut + answers.unsent;
        self.failed += answers.failed();
    }

    /// A promise: `what` is said where it does not hold.
    pub fn promise(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(what());
        }
    }

    pub const HEAD: [&str; 13] = [
        "fault", "protocol", "requests", "failed", "spans", "received", "lost", "counted",
        "warned", "p50 ms", "p99 ms", "MiB", "stop s",
    ];

    /// As the head has it.
    pub fn cells(&self) -> Vec<String> {
        let counts = [
            self.requests,
            self.failed,
            self.ended,
            self.received,
            self.lost,
            self.counted,
            self.warnings,
        ];
        let numbers = [self.median, self.slowest, self.grown, self.stopped_in];
        let mark = if self.ok() { "" } else { " ✗" };
        [format!("{}{mark}", self.fault), self.protocol.to_owned()]
            .into_iter()
            .chain(counts.map(|count| count.to_string()))
            .chain(numbers.map(|number| format!("{number:.1}")))
            .collect()
    }
}

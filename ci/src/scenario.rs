//! The fixed scenario: what is asked of every stack, in order, and what must come back. The telemetry it must leave is
//! in `ci/contract/`, a file a step.

mod recording;
mod run;
mod steps;

pub use recording::{Plan, Recording, StepRecord, Transport, record};
pub use steps::{SECRET, SESSION, steps};

use crate::client::Request;
use crate::stacks::Stack;
use crate::upstream::Mode;

/// What of a stack decides which steps apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub db: bool,
    pub client: bool,
}

impl Parts {
    pub fn of(stack: &Stack) -> Self {
        let chosen = |question| stack.one(question).is_some_and(|answer| answer != "none");
        Self {
            db: chosen("database"),
            client: chosen("http_client"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    Database,
    Client,
}

/// What must become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    /// The client hangs up while the upstream is silent.
    Cancelled,
    /// The HTTP library refuses it with this status, before any of the service's code sees it.
    Refused(u16),
    /// The service is told to stop while the upstream is silent, and answers with this status all the same.
    Drained(u16),
}

/// What the request says of the trace it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// Nothing: the trace begins in the service, and `traceresponse` tells its id.
    None,
    /// A valid `traceparent`.
    Remote { sampled: bool },
    /// A `traceparent` that means nothing: as `None`.
    Garbage(&'static str),
}

/// Which telemetry a request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// The trace in this step's contract file.
    Trace,
    /// As `Trace`, but the spans differ between a database and the built-in catalogue: two files.
    TraceByDatabase,
    /// No span and no metric: a health check.
    Nothing,
    /// A metric but no span: the caller chose not to sample.
    OnlyMetrics,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Also the name of its contract file.
    pub name: &'static str,
    pub needs: Needs,
    pub request: Request,
    pub parent: Parent,
    pub upstream: Mode,
    pub outcome: Outcome,
    pub leaves: Leaves,
    /// Records an exception: in the second run as a log record instead of a span event, which has a file of its own.
    pub raises: bool,
    /// Part of the short run that proves the second transport.
    pub short: bool,
}

impl Step {
    pub fn applies_to(&self, parts: Parts) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Database => parts.db,
            Needs::Client => parts.client,
        }
    }

    /// The contract file's name without `.txt`, for a step that leaves a trace.
    pub fn contract(&self, parts: Parts) -> Option<String> {
        match self.leaves {
            Leaves::Trace => Some(self.name.to_owned()),
            Leaves::TraceByDatabase => Some(format!(
                "{}.{}",
                self.name,
                if parts.db { "sql" } else { "catalogue" }
            )),
            Leaves::Nothing | Leaves::OnlyMetrics => None,
        }
    }
}

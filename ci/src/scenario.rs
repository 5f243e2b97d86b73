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

/// What a stack may have or not: it decides which steps apply, and what their traces hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A database, as against data in memory.
    Sql,
    /// An HTTP client.
    Client,
    /// The cache in Redis, which a queue in Redis brings along.
    Redis,
    Jobs,
    Grpc,
}

impl Part {
    pub const ALL: [Self; 5] = [Self::Sql, Self::Client, Self::Redis, Self::Jobs, Self::Grpc];

    /// In the names of contract files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Client => "client",
            Self::Redis => "redis",
            Self::Jobs => "jobs",
            Self::Grpc => "grpc",
        }
    }
}

/// The parts of one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts(Vec<Part>);

impl Parts {
    pub fn of(stack: &Stack) -> Self {
        let chosen = |question| stack.one(question).is_some_and(|answer| answer != "none");
        // As hooks/prune.rhai decides.
        let queue_in_redis = stack.has("extras", "jobs")
            && !["sqlite", "postgres"]
                .iter()
                .any(|db| stack.has("database", db));
        Self::from(|part| match part {
            Part::Sql => chosen("database"),
            Part::Client => chosen("http_client"),
            Part::Redis => stack.has("extras", "redis") || queue_in_redis,
            Part::Jobs => stack.has("extras", "jobs"),
            Part::Grpc => stack.has("extras", "grpc"),
        })
    }

    pub fn from(has: impl Fn(Part) -> bool) -> Self {
        Self(Part::ALL.into_iter().filter(|part| has(*part)).collect())
    }

    pub fn has(&self, part: Part) -> bool {
        self.0.contains(&part)
    }
}

/// What must become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of HTTP, or the code of a gRPC call.
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
    /// No span and no metric: a health check.
    Nothing,
    /// A metric but no span: the caller chose not to sample.
    OnlyMetrics,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Also the name of its contract file.
    pub name: &'static str,
    /// The part without which it cannot be asked.
    pub needs: Option<Part>,
    /// The parts that change the trace: each set of them that a stack has is a contract file of its own.
    pub varies: &'static [Part],
    pub request: Request,
    pub parent: Parent,
    pub upstream: Mode,
    pub outcome: Outcome,
    pub leaves: Leaves,
    /// How many servers handle it: the service, and the peer that it calls, which is itself once more.
    pub servers: usize,
    /// Records an exception: in the second run as a log record instead of a span event, which has a file of its own.
    pub raises: bool,
    /// Attempts at jobs that it sets off in a service that has them. The next step waits for their end.
    pub attempts: usize,
    /// Part of the short run that proves the second transport.
    pub short: bool,
}

impl Step {
    pub fn applies_to(&self, parts: &Parts) -> bool {
        self.needs.is_none_or(|part| parts.has(part))
    }

    /// What the name of its contract file ends with in the run over HTTP, if something is another there: exceptions are log
    /// records, and whoever is called is trusted.
    pub fn over_http(&self) -> &'static str {
        if self.raises {
            ".logs"
        } else if self.needs == Some(Part::Client) || self.servers > 1 {
            ".trusted"
        } else {
            ""
        }
    }

    /// Whether somebody gives up waiting, so that work is left undone which is no failure of its own.
    pub fn is_cut_off(&self) -> bool {
        const DEADLINE_EXCEEDED: u16 = 4;
        let late = self.outcome == Outcome::Status(DEADLINE_EXCEEDED);
        self.outcome == Outcome::Cancelled || (self.request.is_grpc() && late)
    }

    /// The contract file's name without `.txt`, for a step that leaves a trace: `search.sql`.
    pub fn contract(&self, parts: &Parts) -> Option<String> {
        if self.leaves != Leaves::Trace {
            return None;
        }
        let present = self.varies.iter().filter(|part| parts.has(**part));
        Some(present.fold(self.name.to_owned(), |name, part| name + "." + part.name()))
    }
}

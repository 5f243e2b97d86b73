//! Background jobs: pushing one is a PRODUCER span, each attempt at it a CONSUMER span, and both are measured, whatever
//! the job library. <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>
//!
//! ```no_run
//! # use std::{collections::HashMap, io::Error};
//! # async fn push(_: HashMap<String, String>) -> Result<(), Error> { Ok(()) }
//! # async fn work() -> Result<(), telemetry::jobs::Failed> { Ok(()) }
//! # async fn example(headers: HashMap<String, String>) {
//! use telemetry::jobs::{Delivery, Destination};
//!
//! let mail = Destination::new("apalis", "mail");
//! let pushed = mail.send("id-1", |headers| push(headers)).await;
//! // In the worker, with the headers that came along:
//! let done = mail.process(&Delivery { id: "id-1", attempt: 1, headers: &headers }, work()).await;
//! # let _ = (pushed, done);
//! # }
//! ```
//!
//! The **first attempt continues the trace** of whoever pushed the job: the request and what it set off are one story. A
//! **retry begins a trace of its own** that is linked to it: it may run hours later, and a trace that grows again after
//! it was looked at and sampled helps nobody. The session travels with the job, and so does the baggage whose keys
//! `TELEMETRY_JOBS_BAGGAGE` lists; what a caller sent beyond that stays behind. A job's payload is in no signal.

mod carrier;
mod consumer;
mod operation;
mod producer;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Meter},
};
use opentelemetry_sdk::trace::Tracer;
use opentelemetry_semantic_conventions::{
    attribute::{MESSAGING_DESTINATION_NAME, MESSAGING_SYSTEM},
    metric::{
        MESSAGING_CLIENT_CONSUMED_MESSAGES, MESSAGING_CLIENT_OPERATION_DURATION,
        MESSAGING_CLIENT_SENT_MESSAGES, MESSAGING_PROCESS_DURATION,
    },
};

use carrier::BaggageKeys;
use operation::{Operation, Timing};

use crate::guard;

/// The instrumentation scope of all signals from here.
const SCOPE: &str = "telemetry.jobs";

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/>.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Why a job failed, in a word out of few: `error.type` of span and metric. The error itself is on record already, by
/// [`crate::ResultExt::record_err`] or [`crate::report_exception`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub Cow<'static, str>);

/// A job as a worker gets it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The job's id, the same in every attempt.
    pub id: &'a str,
    /// Which attempt this is; the first is 1.
    pub attempt: usize,
    /// What [`Destination::send`] gave the job to carry.
    pub headers: &'a HashMap<String, String>,
}

/// Where jobs of one kind wait, as both its ends know it. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Destination {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// False when telemetry is off: then a job only carries the context on.
    records: bool,
    /// None where no spans are made.
    tracer: Option<Tracer>,
    baggage: BaggageKeys,
    system: &'static str,
    name: &'static str,
    send: Operation,
    process: Operation,
    given_up: Counter<u64>,
}

impl Destination {
    /// `system` is the job library, `name` the queue: a word for each kind of job, since it names spans.
    ///
    /// Takes tracer and instruments from telemetry's providers, so it must have been initialised before.
    #[must_use]
    pub fn new(system: &'static str, name: &'static str) -> Self {
        let (tracer, meter) = (guard::tracer(SCOPE), global::meter(SCOPE));
        let baggage = BaggageKeys::from_env();
        Self::with(system, name, guard::enabled(), tracer, &meter, baggage)
    }

    fn with(
        system: &'static str,
        name: &'static str,
        records: bool,
        tracer: Option<Tracer>,
        meter: &Meter,
        baggage: BaggageKeys,
    ) -> Self {
        let duration = |name, description| {
            meter
                .f64_histogram(name)
                .with_description(description)
                .with_unit("s")
                .with_boundaries(BOUNDARIES.to_vec())
                .build()
        };
        let counter = |name, unit, description| {
            meter
                .u64_counter(name)
                .with_description(description)
                .with_unit(unit)
                .build()
        };
        let sent = counter(
            MESSAGING_CLIENT_SENT_MESSAGES,
            "{message}",
            "Number of messages producer attempted to send to the broker.",
        );
        let sending = Timing {
            duration: duration(
                MESSAGING_CLIENT_OPERATION_DURATION,
                "Duration of messaging operation initiated by a producer or consumer client.",
            ),
            by_type: true,
        };
        let consumed = counter(
            MESSAGING_CLIENT_CONSUMED_MESSAGES,
            "{message}",
            "Number of messages that were delivered to the application.",
        );
        let processing = Timing {
            duration: duration(
                MESSAGING_PROCESS_DURATION,
                "Duration of processing operation.",
            ),
            by_type: false,
        };
        let shared = Shared {
            records,
            tracer,
            baggage,
            system,
            name,
            send: Operation::new("send", system, name, sent, sending),
            process: Operation::new("process", system, name, consumed, processing),
            given_up: counter(
                "job.given_up",
                "{job}",
                "Jobs that failed in their last attempt and are not tried again.",
            ),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Counts a job that is not tried again. The conventions have no such metric; it is the one to be woken by.
    pub fn give_up(&self) {
        let Shared { system, name, .. } = *self.shared;
        let attributes = [
            KeyValue::new(MESSAGING_SYSTEM, system),
            KeyValue::new(MESSAGING_DESTINATION_NAME, name),
        ];
        self.shared.given_up.add(1, &attributes);
    }
}

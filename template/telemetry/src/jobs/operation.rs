//! What all pushes to a destination have in common, or all attempts at its jobs: name, attributes and time series, found
//! out once and not for each job.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, Counter, Histogram},
};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_ID, MESSAGING_OPERATION_NAME,
    MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM,
};

use crate::{names, series::Series};

/// Where the time of an operation is counted.
pub(super) struct Timing {
    pub(super) duration: Histogram<f64>,
    /// Whether that metric is one of several operations, told apart by their type.
    pub(super) by_type: bool,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) span_name: Cow<'static, str>,
    /// Of every span.
    attributes: Vec<KeyValue>,
    messages: Counter<u64>,
    /// Those of the jobs that did not fail.
    succeeded: OnceLock<BoundCounter<u64>>,
    counted: Vec<KeyValue>,
    duration: Histogram<f64>,
    took: Series<f64>,
    timed: Arc<[KeyValue]>,
}

impl Operation {
    /// `send` and `process` are names and types of their operations alike.
    pub(super) fn new(
        name: &'static str,
        system: &'static str,
        destination: &'static str,
        messages: Counter<u64>,
        timing: Timing,
    ) -> Self {
        let counted = vec![
            KeyValue::new(MESSAGING_SYSTEM, system),
            KeyValue::new(MESSAGING_OPERATION_NAME, name),
            KeyValue::new(MESSAGING_DESTINATION_NAME, destination),
        ];
        let mut attributes = counted.clone();
        attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, name));
        let timed = if timing.by_type {
            &attributes
        } else {
            &counted
        };
        let timed: Arc<[KeyValue]> = timed.as_slice().into();
        Self {
            span_name: names::kept(format!("{name} {destination}")),
            attributes,
            messages,
            succeeded: OnceLock::new(),
            counted,
            took: Series::new(&timing.duration, Arc::clone(&timed)),
            duration: timing.duration,
            timed,
        }
    }

    /// Attributes of the span of the job with this id.
    pub(super) fn attributes(&self, id: &str) -> impl Iterator<Item = KeyValue> {
        let id = KeyValue::new(MESSAGING_MESSAGE_ID, id.to_owned());
        self.attributes.iter().cloned().chain([id])
    }

    /// `error` is none where it did not fail.
    pub(super) fn ended(&self, took: Duration, error: Option<Cow<'static, str>>) {
        let seconds = took.as_secs_f64();
        let Some(error) = error else {
            let succeeded = || self.messages.bind(&self.counted);
            self.succeeded.get_or_init(succeeded).add(1);
            self.took.record(seconds);
            return;
        };
        let error = KeyValue::new(ERROR_TYPE, error);
        let with_error = |known: &[KeyValue]| [known, std::slice::from_ref(&error)].concat();
        self.messages.add(1, &with_error(&self.counted));
        self.duration.record(seconds, &with_error(&self.timed));
    }
}

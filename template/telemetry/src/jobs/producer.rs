//! Pushing a job.

use std::{any, collections::HashMap, error::Error, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::attribute::{ERROR_TYPE, MESSAGING_OPERATION_TYPE};

use super::{Destination, Shared, carrier};
use crate::{Recorded, ResultExt as _};

const SEND: &str = "send";

impl Destination {
    /// Runs `push`, which stores the job with this id and the headers it is given, as a PRODUCER span. An error is
    /// recorded there, so its text must not hold the payload.
    ///
    /// # Errors
    /// What `push` failed with.
    pub async fn send<F, T, E>(
        &self,
        id: &str,
        push: impl FnOnce(HashMap<String, String>) -> F,
    ) -> Result<T, Recorded<E>>
    where
        F: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        let mut sending = Sending::start(&self.shared, id);
        let headers = carrier::inject(&sending.context, &self.shared.baggage);
        let pushed = async { push(headers).await.record_err() };
        let result = pushed.with_context(sending.context.clone()).await;
        sending.outcome = match &result {
            Ok(_) => Outcome::Sent,
            Err(_) => Outcome::Failed(any::type_name::<E>()),
        };
        result
    }
}

enum Outcome {
    Sent,
    Failed(&'static str),
    /// Whoever pushed was dropped: nobody knows whether the job is in the queue.
    Abandoned,
}

/// A push in flight. It ends when it is dropped, hence once and always.
struct Sending<'a> {
    shared: &'a Shared,
    context: Context,
    started: Instant,
    outcome: Outcome,
}

impl<'a> Sending<'a> {
    fn start(shared: &'a Shared, id: &str) -> Self {
        let builder = shared
            .tracer
            .span_builder(format!("{SEND} {}", shared.name))
            .with_kind(SpanKind::Producer)
            .with_attributes(shared.span_attributes(SEND, id));
        Self {
            shared,
            context: Context::current_with_span(builder.start(&shared.tracer)),
            started: Instant::now(),
            outcome: Outcome::Abandoned,
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        let span = self.context.span();
        let mut attributes = self.shared.attributes(SEND);
        let error = match self.outcome {
            Outcome::Sent => None,
            // Recorded with its exception.
            Outcome::Failed(error) => Some(KeyValue::new(ERROR_TYPE, error)),
            Outcome::Abandoned => {
                let error = KeyValue::new(ERROR_TYPE, "cancelled");
                span.set_attribute(error.clone());
                span.set_status(Status::error(""));
                Some(error)
            }
        };
        attributes.extend(error);
        self.shared.sent.add(1, &attributes);
        attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, SEND));
        let seconds = self.started.elapsed().as_secs_f64();
        self.shared.sending.record(seconds, &attributes);
        span.end();
    }
}

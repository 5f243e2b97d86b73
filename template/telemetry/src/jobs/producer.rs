//! Pushing a job.

use std::{any, borrow::Cow, collections::HashMap, error::Error, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

use super::{Destination, Shared, carrier};
use crate::{Recorded, ResultExt as _, sampler::may_record_below};

/// Attributes of a span, the session and an error's type included.
const ATTRIBUTES: usize = 7;

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
        let shared = &*self.shared;
        let mut sending = shared.records.then(|| Sending::start(shared, id));
        let context = sending.as_ref().and_then(|sending| sending.context.clone());
        let headers = match &context {
            Some(context) => carrier::inject(context, &shared.baggage),
            None => carrier::inject(&Context::current(), &shared.baggage),
        };
        let pushed = async { push(headers).await.record_err() };
        let result = match context {
            Some(context) => pushed.with_context(context).await,
            None => pushed.await,
        };
        if let Some(sending) = &mut sending {
            sending.outcome = match &result {
                Ok(_) => Outcome::Sent,
                Err(_) => Outcome::Failed(any::type_name::<E>()),
            };
        }
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
    /// That of its span. None where none could be recorded: the push is then part of what its caller does.
    context: Option<Context>,
    started: Instant,
    outcome: Outcome,
}

impl<'a> Sending<'a> {
    fn start(shared: &'a Shared, id: &str) -> Self {
        let parent = Context::current();
        let tracer = shared.tracer.as_ref();
        let tracer = tracer.filter(|_| may_record_below(&parent));
        let context = tracer.map(|tracer| {
            let mut attributes = Vec::with_capacity(ATTRIBUTES);
            attributes.extend(shared.send.attributes(id));
            let builder = SpanBuilder {
                name: shared.send.span_name.clone(),
                span_kind: Some(SpanKind::Producer),
                attributes: Some(attributes),
                ..SpanBuilder::default()
            };
            parent.with_span(tracer.build_with_context(builder, &parent))
        });
        Self {
            shared,
            context,
            started: Instant::now(),
            outcome: Outcome::Abandoned,
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        let error = match self.outcome {
            Outcome::Sent => None,
            // Recorded with its exception.
            Outcome::Failed(error) => Some(error),
            Outcome::Abandoned => Some("cancelled"),
        };
        let took = self.started.elapsed();
        self.shared.send.ended(took, error.map(Cow::Borrowed));
        let Some(context) = &self.context else {
            return;
        };
        let span = context.span();
        if let (Outcome::Abandoned, Some(error)) = (&self.outcome, error) {
            span.set_attribute(KeyValue::new(ERROR_TYPE, error));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

//! An attempt at a job.

use std::{borrow::Cow, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, Link, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

use super::{Delivery, Destination, Failed, Shared, carrier};
use crate::exception;

const PROCESS: &str = "process";

/// Which attempt it is, from 1: the conventions know such an attribute for a few brokers only.
const ATTEMPT: &str = "job.attempt";

impl Destination {
    /// Runs `attempt` as a CONSUMER span: everything in it happens inside the trace of the job. What it fails with must
    /// be on record; the span gets its `error.type`.
    ///
    /// # Errors
    /// What `attempt` failed with.
    pub async fn process<T>(
        &self,
        delivery: &Delivery<'_>,
        attempt: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let mut processing = Processing::start(&self.shared, delivery);
        let result = attempt.with_context(processing.context.clone()).await;
        processing.ended = true;
        if let Err(Failed(kind)) = &result {
            processing.fail(kind.clone());
        }
        result
    }
}

/// An attempt in flight. It ends when it is dropped, hence once and always: also when a panic unwinds, and when the worker
/// stops in the middle of it.
struct Processing<'a> {
    shared: &'a Shared,
    context: Context,
    started: Instant,
    /// Of the metrics.
    attributes: Vec<KeyValue>,
    ended: bool,
}

impl<'a> Processing<'a> {
    fn start(shared: &'a Shared, delivery: &Delivery<'_>) -> Self {
        let mut parent = carrier::extract(delivery.headers);
        let mut links = Vec::new();
        if delivery.attempt > 1 {
            let pushed = parent.span().span_context().clone();
            if pushed.is_valid() {
                links.push(Link::with_context(pushed));
            }
            parent = carrier::without_span(&parent);
        }
        let mut of_span = shared.span_attributes(PROCESS, delivery.id);
        let attempt = i64::try_from(delivery.attempt).unwrap_or(i64::MAX);
        of_span.push(KeyValue::new(ATTEMPT, attempt));
        let builder = shared
            .tracer
            .span_builder(format!("{PROCESS} {}", shared.name))
            .with_kind(SpanKind::Consumer)
            .with_attributes(of_span)
            .with_links(links);
        let span = shared.tracer.build_with_context(builder, &parent);
        Self {
            shared,
            context: parent.with_span(span),
            started: Instant::now(),
            attributes: shared.attributes(PROCESS),
            ended: false,
        }
    }

    fn fail(&mut self, kind: Cow<'static, str>) {
        let error = KeyValue::new(ERROR_TYPE, kind);
        let span = self.context.span();
        if !exception::is_marked_by_panic(span.span_context().span_id()) {
            span.set_attribute(error.clone());
            span.set_status(Status::error(""));
        }
        self.attributes.push(error);
    }
}

impl Drop for Processing<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let cause = if std::thread::panicking() {
                "panic"
            } else {
                "cancelled"
            };
            self.fail(Cow::Borrowed(cause));
        }
        self.shared.consumed.add(1, &self.attributes);
        let seconds = self.started.elapsed().as_secs_f64();
        self.shared.processing.record(seconds, &self.attributes);
        self.context.span().end();
    }
}

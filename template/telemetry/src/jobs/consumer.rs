//! An attempt at a job.

use std::{borrow::Cow, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        FutureExt as _, Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _,
        Tracer as _,
    },
};
use opentelemetry_sdk::trace::{Span, Tracer};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

use super::{Delivery, Destination, Failed, Shared, carrier};
use crate::{exception, sampler};

/// Which attempt it is, from 1: the conventions know such an attribute for a few brokers only.
const ATTEMPT: &str = "job.attempt";

/// Attributes of a span, the session and an error's type included.
const ATTRIBUTES: usize = 8;

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
        let (parent, links) = origin(delivery);
        if !self.shared.records {
            return attempt.with_context(parent).await;
        }
        let mut processing = Processing::start(&self.shared, delivery, &parent, links);
        let result = attempt.with_context(processing.context.clone()).await;
        processing.ended = true;
        if let Err(Failed(kind)) = &result {
            processing.fail(kind.clone());
        }
        result
    }
}

/// The context that an attempt continues, and what it is linked to.
fn origin(delivery: &Delivery<'_>) -> (Context, Vec<Link>) {
    let context = carrier::extract(delivery.headers);
    if delivery.attempt <= 1 {
        return (context, Vec::new());
    }
    let mut links = Vec::new();
    let pushed = context.span().span_context().clone();
    if pushed.is_valid() {
        links.push(Link::with_context(pushed));
    }
    (carrier::without_span(&context), links)
}

/// An attempt in flight. It ends when it is dropped, hence once and always: also when a panic unwinds, and when the worker
/// stops in the middle of it.
struct Processing<'a> {
    shared: &'a Shared,
    context: Context,
    started: Instant,
    error: Option<Cow<'static, str>>,
    ended: bool,
}

impl<'a> Processing<'a> {
    fn start(
        shared: &'a Shared,
        delivery: &Delivery<'_>,
        parent: &Context,
        links: Vec<Link>,
    ) -> Self {
        let tracer = shared.tracer.as_ref();
        let span = tracer.map(|tracer| span(tracer, shared, delivery, parent, links));
        Self {
            shared,
            context: span.map_or_else(|| parent.clone(), |span| parent.with_span(span)),
            started: Instant::now(),
            error: None,
            ended: false,
        }
    }

    fn fail(&mut self, kind: Cow<'static, str>) {
        let span = self.context.span();
        if !exception::is_marked_by_panic(span.span_context().span_id()) {
            span.set_attribute(KeyValue::new(ERROR_TYPE, kind.clone()));
            span.set_status(Status::error(""));
        }
        self.error = Some(kind);
    }
}

/// No sampler looks at attributes, and most spans may be dropped.
fn span(
    tracer: &Tracer,
    shared: &Shared,
    delivery: &Delivery<'_>,
    parent: &Context,
    links: Vec<Link>,
) -> Span {
    let attributes = || {
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        attributes.extend(shared.process.attributes(delivery.id));
        let attempt = i64::try_from(delivery.attempt).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new(ATTEMPT, attempt));
        attributes
    };
    let is_recorded = sampler::records_below(parent);
    let builder = SpanBuilder {
        name: shared.process.span_name.clone(),
        span_kind: Some(SpanKind::Consumer),
        attributes: is_recorded.then(attributes),
        links: Some(links),
        ..SpanBuilder::default()
    };
    let mut span = tracer.build_with_context(builder, parent);
    if !is_recorded && span.is_recording() {
        span.set_attributes(attributes());
    }
    span
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
        let took = self.started.elapsed();
        self.shared.process.ended(took, self.error.take());
        self.context.span().end();
    }
}

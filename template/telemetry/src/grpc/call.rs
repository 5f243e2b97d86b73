//! A call from its beginning to its end: one span, one measurement.

use std::sync::{Arc, LazyLock};

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::{Span, Tracer};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;
use tokio::time::Instant;
use tonic::Code;

use super::{
    ErrorType, SCOPE,
    method::{Method, outcome},
    name,
};
use crate::{exception, guard, sampler};

/// Attributes that a span has at most: those of its method, of the connection, the outcome, and the session.
const ATTRIBUTES: usize = 10;

// Taken at the first call, so after `init` has set the provider.
static TRACER: LazyLock<Option<Tracer>> = LazyLock::new(|| guard::tracer(SCOPE));

/// A call under way. It ends exactly once: with [`Call::end`], or when it is dropped because whoever waited for it is
/// gone, its time is up, or a panic unwinds.
#[derive(Debug)]
pub(super) struct Call {
    /// None where it has no span of its own: it is then part of what its caller does.
    context: Option<Context>,
    deadline: Option<Instant>,
    /// None when nobody looks: telemetry is off, or the call is a health check.
    record: Option<Record>,
}

#[derive(Debug)]
struct Record {
    method: Arc<Method>,
    started: Instant,
    span: Recorded,
}

/// Where the call's span is.
#[derive(Debug)]
enum Recorded {
    Nowhere,
    /// In the context, for the work on the call adds to it.
    Shared,
    /// Nobody else adds to it, and to share it would cost as much as to make it.
    Own(Box<Span>),
}

impl Call {
    /// A call that is served, below that of `parent`. Most spans may be dropped, and no sampler looks at attributes:
    /// `describe` adds those that only the span has if it is recorded.
    pub(super) fn serve(
        method: Arc<Method>,
        parent: Context,
        links: Vec<Link>,
        deadline: Option<Instant>,
        describe: impl Fn(&mut Vec<KeyValue>),
    ) -> Self {
        let Some(tracer) = &*TRACER else {
            return Self::of(method, Some(parent), Recorded::Nowhere, deadline);
        };
        let attributes = || {
            let mut attributes = attributes(&method);
            describe(&mut attributes);
            attributes
        };
        let is_recorded = sampler::records_below(&parent);
        let builder = SpanBuilder {
            name: method.span_name.clone(),
            span_kind: Some(SpanKind::Server),
            attributes: is_recorded.then(attributes),
            links: Some(links),
            ..SpanBuilder::default()
        };
        let mut span = tracer.build_with_context(builder, &parent);
        if !is_recorded && span.is_recording() {
            span.set_attributes(attributes());
        }
        let recorded = if span.is_recording() {
            Recorded::Shared
        } else {
            Recorded::Nowhere
        };
        Self::of(method, Some(parent.with_span(span)), recorded, deadline)
    }

    /// A call that is made, below the span of `parent`.
    pub(super) fn make(method: Arc<Method>, parent: &Context, deadline: Option<Instant>) -> Self {
        let tracer = TRACER.as_ref();
        let Some(tracer) = tracer.filter(|_| sampler::may_record_below(parent)) else {
            return Self::of(method, None, Recorded::Nowhere, deadline);
        };
        let builder = SpanBuilder {
            name: method.span_name.clone(),
            span_kind: Some(SpanKind::Client),
            attributes: Some(attributes(&method)),
            ..SpanBuilder::default()
        };
        let span = tracer.build_with_context(builder, parent);
        let context = parent.with_remote_span_context(span.span_context().clone());
        Self::of(
            method,
            Some(context),
            Recorded::Own(Box::new(span)),
            deadline,
        )
    }

    fn of(
        method: Arc<Method>,
        context: Option<Context>,
        span: Recorded,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            context,
            deadline,
            record: Some(Record {
                method,
                started: Instant::now(),
                span,
            }),
        }
    }

    /// A call that leaves no signal.
    pub(super) fn unseen(context: Option<Context>, deadline: Option<Instant>) -> Self {
        Self {
            context,
            deadline,
            record: None,
        }
    }

    /// What the work on this call runs in, if that is not its caller's.
    pub(super) fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// What its answer is streamed in, likewise. Whoever made the call reads it, and that is his work.
    pub(super) fn context_of_body(&self) -> Option<&Context> {
        let span = self.record.as_ref().map(|record| &record.span);
        let is_made = matches!(span, Some(Recorded::Own(_)));
        self.context().filter(|_| !is_made)
    }

    /// When whoever waits for it gives it up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The head of a response came.
    pub(super) fn answered(&mut self) {
        // Only a call that is made knows whom it reaches.
        if let Some(Record { method, span, .. }) = &mut self.record
            && let Recorded::Own(span) = span
        {
            span.set_attributes(method.peer.iter().cloned());
        }
    }

    /// The call's outcome.
    pub(super) fn end(mut self, code: Code, error: Option<ErrorType>) {
        self.conclude(code, error);
    }

    fn conclude(&mut self, code: Code, error: Option<ErrorType>) {
        let Some(record) = self.record.take() else {
            return;
        };
        let is_error = record.method.side.is_error(code);
        let error = is_error.then(|| error.map_or(name(code), |error| error.0));
        let seconds = record.started.elapsed().as_secs_f64();
        record.method.ended(seconds, code, error);
        let failure = error.map(|error| KeyValue::new(ERROR_TYPE, error));
        // Without words: the code says it all.
        let failed = Status::error("");
        match (record.span, &self.context) {
            (Recorded::Own(mut span), _) => {
                span.set_attribute(outcome(code));
                if let Some(failure) = failure {
                    span.set_attribute(failure);
                    span.set_status(failed);
                }
                span.end();
            }
            (Recorded::Shared, Some(context)) => {
                let span = context.span();
                span.set_attribute(outcome(code));
                if let Some(failure) = failure
                    && !exception::is_marked_by_panic(span.span_context().span_id())
                {
                    span.set_attribute(failure);
                    span.set_status(failed);
                }
                span.end();
            }
            _ => {}
        }
    }
}

/// Those that are known of a span, and room for what it gets besides.
fn attributes(method: &Method) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(ATTRIBUTES);
    attributes.extend_from_slice(&method.attributes);
    attributes
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.record.is_none() {
            return;
        }
        if std::thread::panicking() {
            self.conclude(Code::Internal, Some(ErrorType("panic")));
        } else if self.deadline.is_some_and(|end| end <= Instant::now()) {
            self.conclude(Code::DeadlineExceeded, None);
        } else {
            self.conclude(Code::Cancelled, None);
        }
    }
}

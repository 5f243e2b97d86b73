//! A call from its beginning to its end: one span, one measurement.

use std::sync::{Arc, LazyLock};

use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedSpan, BoxedTracer},
    trace::{Link, Span as _, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;
use tokio::time::Instant;
use tonic::Code;

use super::{
    ErrorType, SCOPE,
    method::{Method, outcome},
    name,
};
use crate::exception;

/// Attributes that a span has at most: those of its method, of the connection, the outcome, and the session.
const ATTRIBUTES: usize = 10;

// Taken at the first call, so after `init` has set the provider.
static TRACER: LazyLock<BoxedTracer> = LazyLock::new(|| global::tracer(SCOPE));

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
    /// Whether the span of the context is the call's, and is recorded.
    has_span: bool,
}

impl Call {
    /// A call below `parent`. Most spans may be dropped, and no sampler looks at attributes: `describe` adds those that
    /// only the span has if it is recorded.
    pub(super) fn begin(
        method: Arc<Method>,
        parent: &Context,
        links: Vec<Link>,
        deadline: Option<Instant>,
        describe: impl FnOnce(&mut BoxedSpan),
    ) -> Self {
        let builder = TRACER
            .span_builder(method.span_name.clone())
            .with_kind(method.side.kind())
            .with_attributes(Vec::with_capacity(ATTRIBUTES))
            .with_links(links);
        let mut span = TRACER.build_with_context(builder, parent);
        let has_span = span.is_recording();
        if has_span {
            span.set_attributes(method.attributes.iter().cloned());
            describe(&mut span);
        }
        Self {
            context: Some(parent.with_span(span)),
            deadline,
            record: Some(Record {
                method,
                started: Instant::now(),
                has_span,
            }),
        }
    }

    /// A call that is only measured.
    pub(super) fn without_span(method: Arc<Method>, deadline: Option<Instant>) -> Self {
        Self {
            context: None,
            deadline,
            record: Some(Record {
                method,
                started: Instant::now(),
                has_span: false,
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

    /// When whoever waits for it gives it up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The span, if it is recorded, and what the call is one of.
    fn recorded(&self) -> Option<(&Context, &Record)> {
        let record = self.record.as_ref().filter(|record| record.has_span)?;
        Some((self.context.as_ref()?, record))
    }

    /// The head of a response came.
    pub(super) fn answered(&self) {
        if let Some((context, record)) = self.recorded()
            && !record.method.peer.is_empty()
        {
            let peer = record.method.peer.iter().cloned();
            context.span().set_attributes(peer);
        }
    }

    /// The call's outcome.
    pub(super) fn end(mut self, code: Code, error: Option<ErrorType>) {
        self.conclude(code, error);
    }

    fn conclude(&mut self, code: Code, error: Option<ErrorType>) {
        let Some(record) = &self.record else {
            return;
        };
        let is_error = record.method.side.is_error(code);
        let error = is_error.then(|| error.map_or(name(code), |error| error.0));
        let seconds = record.started.elapsed().as_secs_f64();
        record.method.ended(seconds, code, error);
        if let Some((context, _)) = self.recorded() {
            let span = context.span();
            span.set_attribute(outcome(code));
            if let Some(error) = error
                && !exception::is_marked_by_panic(span.span_context().span_id())
            {
                span.set_attribute(KeyValue::new(ERROR_TYPE, error));
                // Without words: the code says it all.
                span.set_status(Status::error(""));
            }
            span.end();
        }
        self.record = None;
    }
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

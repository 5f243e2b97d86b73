//! A call from its beginning to its end: one span, one measurement.

use std::{borrow::Cow, net::IpAddr, sync::LazyLock};

use opentelemetry::{
    Context, KeyValue, StringValue,
    global::{self, BoxedTracer},
    metrics::Histogram,
    trace::{Link, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::{
    attribute::{
        ERROR_TYPE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, RPC_METHOD, RPC_RESPONSE_STATUS_CODE,
        RPC_SYSTEM_NAME,
    },
    metric::{RPC_CLIENT_CALL_DURATION, RPC_SERVER_CALL_DURATION},
};
use tokio::time::Instant;
use tonic::Code;

use super::{ErrorType, SCOPE, name};
use crate::{exception, methods::OTHER};

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/>.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

// Taken at the first call, so after `init` has set the providers.
static TRACER: LazyLock<BoxedTracer> = LazyLock::new(|| global::tracer(SCOPE));
static SERVED: LazyLock<Histogram<f64>> =
    LazyLock::new(|| histogram(RPC_SERVER_CALL_DURATION, "Duration of gRPC calls served."));
static MADE: LazyLock<Histogram<f64>> =
    LazyLock::new(|| histogram(RPC_CLIENT_CALL_DURATION, "Duration of gRPC calls made."));

fn histogram(name: &'static str, description: &'static str) -> Histogram<f64> {
    global::meter(SCOPE)
        .f64_histogram(name)
        .with_description(description)
        .with_unit("s")
        .with_boundaries(BOUNDARIES.to_vec())
        .build()
}

/// On which side of the call this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    fn kind(self) -> SpanKind {
        match self {
            Self::Server => SpanKind::Server,
            Self::Client => SpanKind::Client,
        }
    }

    fn duration(self) -> &'static Histogram<f64> {
        match self {
            Self::Server => &SERVED,
            Self::Client => &MADE,
        }
    }

    /// To a client anything but success is an error. To a server only what is its own fault: a caller who asks for what is
    /// not there was served well.
    fn is_error(self, code: Code) -> bool {
        match self {
            Self::Client => code != Code::Ok,
            Self::Server => matches!(
                code,
                Code::Unknown
                    | Code::DeadlineExceeded
                    | Code::Unimplemented
                    | Code::Internal
                    | Code::Unavailable
                    | Code::DataLoss
            ),
        }
    }
}

/// What is known of a call before it begins.
pub(super) struct Opening<'a> {
    pub(super) side: Side,
    /// `rpc.method`; none for what nobody offers.
    pub(super) method: Option<StringValue>,
    /// What span and metric have in common besides.
    pub(super) shared: Vec<KeyValue>,
    /// What only the span may have, since its values have no bound.
    pub(super) of_span: Vec<KeyValue>,
    pub(super) parent: &'a Context,
    pub(super) links: Vec<Link>,
    /// Who answers, if he does.
    pub(super) peer: Option<(IpAddr, u16)>,
}

/// A call under way. It ends exactly once: with [`Call::end`], or when it is dropped because whoever waited for it is
/// gone, its time is up, or a panic unwinds.
#[derive(Debug)]
pub(super) struct Call {
    context: Context,
    deadline: Option<Instant>,
    /// None when nobody looks: telemetry is off, or the call is a health check.
    record: Option<Record>,
}

#[derive(Debug)]
struct Record {
    side: Side,
    started: Instant,
    /// Of the metric.
    attributes: Vec<KeyValue>,
    peer: Option<(IpAddr, u16)>,
}

impl Call {
    pub(super) fn begin(opening: Opening<'_>, deadline: Option<Instant>) -> Self {
        let Opening {
            side,
            method,
            shared,
            of_span,
            parent,
            links,
            peer,
        } = opening;
        // Without a method the span is called like the system: <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/#span-name>.
        let span_name = method
            .clone()
            .map_or("grpc".into(), |method| Cow::Owned(method.to_string()));
        let mut attributes = Vec::with_capacity(shared.len() + 4);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, "grpc"));
        attributes.push(KeyValue::new(
            RPC_METHOD,
            method.unwrap_or_else(|| OTHER.into()),
        ));
        attributes.extend(shared);
        let builder = TRACER
            .span_builder(span_name)
            .with_kind(side.kind())
            .with_attributes(attributes.iter().cloned().chain(of_span))
            .with_links(links);
        let span = TRACER.build_with_context(builder, parent);
        Self {
            context: parent.with_span(span),
            deadline,
            record: Some(Record {
                side,
                started: Instant::now(),
                attributes,
                peer,
            }),
        }
    }

    /// A call that leaves no signal.
    pub(super) fn unseen(context: Context, deadline: Option<Instant>) -> Self {
        Self {
            context,
            deadline,
            record: None,
        }
    }

    /// What the work on this call runs in.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// When whoever waits for it gives it up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The head of a response came.
    pub(super) fn answered(&self) {
        if let Some((address, port)) = self.record.as_ref().and_then(|record| record.peer) {
            let span = self.context.span();
            span.set_attribute(KeyValue::new(NETWORK_PEER_ADDRESS, address.to_string()));
            span.set_attribute(KeyValue::new(NETWORK_PEER_PORT, i64::from(port)));
        }
    }

    /// The call's outcome.
    pub(super) fn end(mut self, code: Code, error: Option<ErrorType>) {
        self.conclude(code, error);
    }

    fn conclude(&mut self, code: Code, error: Option<ErrorType>) {
        let Some(mut record) = self.record.take() else {
            return;
        };
        let span = self.context.span();
        let outcome = KeyValue::new(RPC_RESPONSE_STATUS_CODE, name(code));
        span.set_attribute(outcome.clone());
        record.attributes.push(outcome);
        if record.side.is_error(code) {
            let error = KeyValue::new(ERROR_TYPE, error.map_or(name(code), |error| error.0));
            if !exception::is_marked_by_panic(span.span_context().span_id()) {
                span.set_attribute(error.clone());
                // Without words: the code says it all.
                span.set_status(Status::error(""));
            }
            record.attributes.push(error);
        }
        let seconds = record.started.elapsed().as_secs_f64();
        record.side.duration().record(seconds, &record.attributes);
        span.end();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.conclude(Code::Internal, Some(ErrorType("panic")));
        } else if self.deadline.is_some_and(|end| end <= Instant::now()) {
            self.conclude(Code::DeadlineExceeded, None);
        } else {
            self.conclude(Code::Cancelled, None);
        }
    }
}

//! Context that crosses process borders: which headers, and the trace's way back to the caller.
//!
//! The SDK has propagators too. They see only the first header of a name, know the trace context of level 1, and change
//! baggage on its way (each point is named in the tests), so ours stand in for them.

mod baggage;
pub(crate) mod headers;
mod inbound;
#[cfg(test)]
mod properties;
mod trace_context;
pub(crate) mod trace_parent;
mod trace_state;

use http::{HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::TraceContextExt as _,
};
use opentelemetry_http::Bytes;
use trace_parent::LENGTH;

pub(crate) use inbound::{Caller, InboundContext};

/// The propagators that `OTEL_PROPAGATORS` names, each once. Without a global propagator nothing would propagate, silently:
/// <https://github.com/davidB/tracing-opentelemetry-instrumentation-sdk/issues/102>.
pub(crate) fn of(names: &[&str]) -> TextMapCompositePropagator {
    let mut propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
    if !names.contains(&"none") {
        if names.contains(&"tracecontext") {
            propagators.push(Box::new(trace_context::TraceContext));
        }
        if names.contains(&"baggage") {
            propagators.push(Box::new(baggage::W3cBaggage));
        }
    }
    TextMapCompositePropagator::new(propagators)
}

/// What a response tells its caller of a span of ours: `traceresponse`, and `Server-Timing` for browsers, whose scripts can read no other
/// header of a page load. <https://w3c.github.io/trace-context/#trace-context-http-response-headers-format>
pub(crate) fn response_headers(context: &Context) -> Option<[(HeaderName, HeaderValue); 2]> {
    const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
    const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
    const BEFORE: &[u8] = b"traceparent;desc=\"";
    let span = context.span();
    let span = span.span_context();
    if !span.is_valid() || span.is_remote() {
        return None;
    }
    let mut timing = Vec::with_capacity(BEFORE.len() + LENGTH + 1);
    timing.extend_from_slice(BEFORE);
    timing.extend_from_slice(&trace_context::of(context).bytes());
    timing.push(b'"');
    let timing = Bytes::from(timing);
    let value = timing.slice(BEFORE.len()..BEFORE.len() + LENGTH);
    let header = |text: Bytes| {
        HeaderValue::from_maybe_shared(text).expect("hexadecimal digits are a valid header")
    };
    Some([
        (TRACERESPONSE, header(value)),
        (SERVER_TIMING, header(timing)),
    ])
}

/// Without the optional whitespace of HTTP around it, which is less than Rust calls whitespace:
/// <https://www.rfc-editor.org/rfc/rfc9110#whitespace>.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

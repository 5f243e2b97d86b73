//! Context that crosses process borders: which headers, and the trace's way back to the caller.

use http::HeaderValue;
use opentelemetry::{
    Context,
    baggage::{Baggage, BaggageExt as _},
    global,
    propagation::{Extractor, TextMapCompositePropagator, TextMapPropagator},
    trace::SpanContext,
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_semantic_conventions::attribute;

use crate::{
    session::{SESSION_HEADER, SessionId},
    settings::Settings,
};

/// The propagators that `OTEL_PROPAGATORS` names. Without a global propagator nothing would propagate, silently:
/// <https://github.com/davidB/tracing-opentelemetry-instrumentation-sdk/issues/102>.
pub(crate) fn from_settings(settings: &Settings) -> TextMapCompositePropagator {
    let mut propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
    if !settings.propagators.contains(&"none") {
        for name in &settings.propagators {
            match *name {
                "baggage" => propagators.push(Box::new(BaggagePropagator::new())),
                _ => propagators.push(Box::new(TraceContextPropagator::new())),
            }
        }
    }
    TextMapCompositePropagator::new(propagators)
}

/// The caller's trace context and baggage, and the session that its header names.
pub(crate) fn parent_context(headers: &dyn Extractor) -> Context {
    let context = global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), headers)
    });
    // In the baggage too, for jobs and trusted hosts; what the caller's baggage says of a session is not believed.
    let sent = context.baggage().iter();
    let mut baggage: Baggage = sent
        .filter(|(key, _)| key.as_str() != attribute::SESSION_ID)
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect();
    match headers.get(SESSION_HEADER).and_then(SessionId::parse) {
        Some(session) => {
            baggage.insert(attribute::SESSION_ID, session.as_str().to_owned());
            context.with_value(session).with_baggage(baggage)
        }
        None => context.with_baggage(baggage),
    }
}

/// `00-<trace id>-<span id>-<flags>`: the value of the `traceparent` and `traceresponse` headers.
/// <https://w3c.github.io/trace-context/#trace-context-http-response-headers-format>
pub(crate) fn trace_parent(span: &SpanContext) -> String {
    format!(
        "00-{:032x}-{:016x}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags()
    )
}

/// What a response tells its caller: `traceresponse`, and `Server-Timing` for browsers, whose scripts can read no other
/// header of a page load.
pub(crate) fn response_headers(span: &SpanContext) -> [(&'static str, HeaderValue); 2] {
    let value = trace_parent(span);
    let timing = format!("traceparent;desc=\"{value}\"");
    let header =
        |text: String| HeaderValue::try_from(text).expect("hexadecimal digits are a valid header");
    [
        ("traceresponse", header(value)),
        ("server-timing", header(timing)),
    ]
}

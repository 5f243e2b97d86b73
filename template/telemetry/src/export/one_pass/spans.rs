//! Batches of spans as OTLP has them, message by message and field by field in the order of their tags:
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::{
    Array, InstrumentationScope, Key, Value,
    trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::{Resource, trace::SpanData};

use super::wire::Wire;

/// Bytes that a span takes, roughly.
const SPAN: usize = 640;
/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
const REMOTENESS_IS_KNOWN: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What all batches have in common.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// `ResourceSpans.resource`, ready made.
    resource: Wire,
    schema_url: String,
}

impl Batches {
    pub(super) fn of(resource: &Resource) -> Self {
        let mut wire = Wire::default();
        wire.message(1, |wire| attributes(wire, 1, resource.iter()));
        Self {
            resource: wire,
            schema_url: resource.schema_url().unwrap_or_default().to_owned(),
        }
    }

    /// `ResourceSpans`.
    pub(super) fn write(&self, spans: &[SpanData]) -> Vec<u8> {
        let mut wire = Wire(Vec::with_capacity(
            self.resource.0.len() + spans.len() * SPAN,
        ));
        wire.0.extend_from_slice(&self.resource.0);
        for (scope, spans) in by_scope(spans) {
            wire.message(2, |wire| {
                wire.message(1, |wire| self::scope(wire, scope));
                for span in spans {
                    wire.message(2, |wire| self::span(wire, span));
                }
                wire.text(3, scope.schema_url().unwrap_or_default());
            });
        }
        wire.text(3, &self.schema_url);
        wire.0
    }
}

/// There are as many scopes as instrumented libraries, a few.
fn by_scope(spans: &[SpanData]) -> Vec<(&InstrumentationScope, Vec<&SpanData>)> {
    let mut scopes: Vec<(&InstrumentationScope, Vec<&SpanData>)> = Vec::new();
    for span in spans {
        let scope = &span.instrumentation_scope;
        match scopes.iter_mut().find(|(known, _)| *known == scope) {
            Some((_, spans)) => spans.push(span),
            None => scopes.push((scope, vec![span])),
        }
    }
    scopes
}

fn scope(wire: &mut Wire, scope: &InstrumentationScope) {
    wire.text(1, scope.name());
    wire.text(2, scope.version().unwrap_or_default());
    let pairs = scope.attributes().map(|pair| (&pair.key, &pair.value));
    attributes(wire, 3, pairs);
}

fn span(wire: &mut Wire, span: &SpanData) {
    let context = &span.span_context;
    wire.bytes(1, &context.trace_id().to_bytes());
    wire.bytes(2, &context.span_id().to_bytes());
    trace_state(wire, 3, context.trace_state());
    if span.parent_span_id != SpanId::INVALID {
        wire.bytes(4, &span.parent_span_id.to_bytes());
    }
    wire.text(5, &span.name);
    wire.varint(6, kind(&span.span_kind));
    wire.fixed64(7, nanoseconds(span.start_time));
    wire.fixed64(8, nanoseconds(span.end_time));
    let pairs = span.attributes.iter().map(|pair| (&pair.key, &pair.value));
    attributes(wire, 9, pairs);
    wire.varint(10, span.dropped_attributes_count);
    for event in span.events.iter() {
        wire.message(11, |wire| self::event(wire, event));
    }
    wire.varint(12, span.events.dropped_count);
    for link in span.links.iter() {
        wire.message(13, |wire| self::link(wire, link));
    }
    wire.varint(14, span.links.dropped_count);
    wire.message(15, |wire| status(wire, &span.status));
    wire.fixed32(16, flags(context, span.parent_span_is_remote));
}

fn event(wire: &mut Wire, event: &Event) {
    wire.fixed64(1, nanoseconds(event.timestamp));
    wire.text(2, &event.name);
    let pairs = event.attributes.iter().map(|pair| (&pair.key, &pair.value));
    attributes(wire, 3, pairs);
    wire.varint(4, event.dropped_attributes_count);
}

fn link(wire: &mut Wire, link: &Link) {
    let context = &link.span_context;
    wire.bytes(1, &context.trace_id().to_bytes());
    wire.bytes(2, &context.span_id().to_bytes());
    trace_state(wire, 3, context.trace_state());
    let pairs = link.attributes.iter().map(|pair| (&pair.key, &pair.value));
    attributes(wire, 4, pairs);
    wire.varint(5, link.dropped_attributes_count);
    wire.fixed32(6, flags(context, context.is_remote()));
}

fn status(wire: &mut Wire, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => wire.varint(3, 1),
        Status::Error { description } => {
            wire.text(2, description);
            wire.varint(3, 2);
        }
    }
}

fn attributes<'a>(wire: &mut Wire, tag: u8, pairs: impl IntoIterator<Item = (&'a Key, &'a Value)>) {
    for (key, value) in pairs {
        if let Value::String(text) = value
            && wire.short_pair(tag, key.as_str(), text.as_str())
        {
            continue;
        }
        wire.message(tag.into(), |wire| {
            wire.text(1, key.as_str());
            wire.message(2, |wire| self::value(wire, value));
        });
    }
}

/// `AnyValue`, and `ArrayValue` of these. There are no other kinds of values in this version of the API.
fn value(wire: &mut Wire, value: &Value) {
    match value {
        Value::String(text) => wire.bytes_always(1, text.as_str().as_bytes()),
        Value::Bool(value) => bool(wire, *value),
        Value::I64(value) => int(wire, *value),
        Value::F64(value) => wire.double_always(4, *value),
        Value::Array(array) => wire.message(5, |wire| match array {
            Array::Bool(values) => each(wire, values, |wire, value| bool(wire, *value)),
            Array::I64(values) => each(wire, values, |wire, value| int(wire, *value)),
            Array::F64(values) => each(wire, values, |wire, value| wire.double_always(4, *value)),
            Array::String(values) => each(wire, values, |wire, text| {
                wire.bytes_always(1, text.as_str().as_bytes());
            }),
            _ => {}
        }),
        _ => {}
    }
}

fn bool(wire: &mut Wire, value: bool) {
    wire.varint_always(2, value.into());
}

fn int(wire: &mut Wire, value: i64) {
    wire.varint_always(3, value.cast_unsigned());
}

fn each<T>(wire: &mut Wire, values: &[T], write: impl Fn(&mut Wire, &T)) {
    for value in values {
        wire.message(1, |wire| write(wire, value));
    }
}

fn trace_state(wire: &mut Wire, tag: u32, state: &TraceState) {
    // Most spans have none, and it has to be put together.
    if *state != TraceState::NONE {
        wire.text(tag, &state.header());
    }
}

fn flags(context: &SpanContext, is_remote: bool) -> u32 {
    let own = u32::from(context.trace_flags().to_u8());
    own | REMOTENESS_IS_KNOWN | if is_remote { IS_REMOTE } else { 0 }
}

fn kind(kind: &SpanKind) -> u32 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// Since 1970; zero before it.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

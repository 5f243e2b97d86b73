//! Traces as the page reads them. All text goes as data: the page never takes it for markup. Times are microseconds.

use std::{
    collections::HashSet,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    KeyValue, TraceId,
    logs::AnyValue,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{logs::SdkLogRecord, trace::SpanData};
use opentelemetry_semantic_conventions::attribute::DB_SYSTEM_NAME;
use serde_json::{Value, json};

use super::store::{Kept, Store};
use crate::marks::Rule;

/// All traces, the newest first; `None` when nothing has changed after that version.
pub(super) fn list(store: &Store, after: Option<u64>, rule: Rule) -> Option<String> {
    store.read(|traces| {
        if after == Some(traces.version) {
            return None;
        }
        let kept = traces.kept.iter().rev();
        let rows: Vec<Value> = kept.filter_map(|kept| summary(kept, rule)).collect();
        Some(json!({ "version": traces.version, "traces": rows }).to_string())
    })
}

/// One trace with everything in it.
pub(super) fn trace(store: &Store, id: &str, rule: Rule) -> Option<String> {
    let id = TraceId::from_hex(id).ok()?;
    store.read(|traces| {
        let kept = traces.kept.iter().rfind(|kept| kept.id == id)?;
        let mut trace = summary(kept, rule)?;
        let marks = rule.marks(&kept.spans);
        let spans = kept.spans.iter().map(|it| {
            let mut shown = span(it);
            shown["marks"] = json!(marks.get(&it.span_context.span_id()));
            shown
        });
        trace["spans"] = spans.collect();
        trace["logs"] = json!(kept.logs);
        trace["dropped"] = json!(kept.dropped);
        Some(trace.to_string())
    })
}

/// A row of the list, once a span has ended.
fn summary(kept: &Kept, rule: Rule) -> Option<Value> {
    let spans = &kept.spans;
    let ids = spans.iter().map(|span| span.span_context.span_id());
    let ids: HashSet<SpanId> = ids.collect();
    let roots = spans
        .iter()
        .filter(|span| !ids.contains(&span.parent_span_id));
    let root = roots.min_by_key(|span| span.start_time)?;
    let began = spans.iter().map(|span| span.start_time).min()?;
    let ended = spans.iter().map(|span| span.end_time).max()?;
    let mut marks: Vec<String> = rule.marks(spans).into_values().flatten().collect();
    marks.sort();
    marks.dedup();
    Some(json!({
        "id": kept.id.to_string(),
        "root": span(root),
        "began": micros(began),
        "took": micros(ended) - micros(began),
        "failed": spans.iter().any(|span| matches!(span.status, Status::Error { .. })),
        "running": kept.running,
        "count": spans.len(),
        "marks": marks,
    }))
}

pub(super) fn span(span: &SpanData) -> Value {
    let events = span.events.iter().map(|event| {
        json!({
            "name": event.name,
            "at": micros(event.timestamp),
            "attributes": pairs(&event.attributes),
        })
    });
    let links = span.links.iter();
    let error = match &span.status {
        Status::Error { description } => Some(description),
        _ => None,
    };
    json!({
        "id": span.span_context.span_id().to_string(),
        "parent": span.parent_span_id.to_string(),
        "name": span.name,
        "kind": kind(span),
        "from": span.instrumentation_scope.name(),
        "at": micros(span.start_time),
        "took": micros(span.end_time) - micros(span.start_time),
        "error": error,
        "attributes": pairs(&span.attributes),
        "events": events.collect::<Value>(),
        "links": links.map(|link| link.span_context.trace_id().to_string()).collect::<Value>(),
    })
}

pub(super) fn log(record: &SdkLogRecord, span: SpanId) -> Value {
    let time = record.timestamp().or(record.observed_timestamp());
    let attributes = record.attributes_iter();
    json!({
        "span": span.to_string(),
        "at": micros(time.unwrap_or_else(SystemTime::now)),
        "level": record.severity_text(),
        "text": record.body().map(text),
        "attributes": attributes.map(|(key, value)| json!([key.as_str(), text(value)])).collect::<Value>(),
    })
}

fn text(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => text.to_string(),
        AnyValue::Int(number) => number.to_string(),
        AnyValue::Double(number) => number.to_string(),
        AnyValue::Boolean(flag) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

fn kind(span: &SpanData) -> &'static str {
    let mut attributes = span.attributes.iter();
    match span.span_kind {
        SpanKind::Client if attributes.any(|it| it.key.as_str() == DB_SYSTEM_NAME) => "database",
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

/// In the order in which they were set.
fn pairs(attributes: &[KeyValue]) -> Value {
    let pair = |it: &KeyValue| json!([it.key.as_str(), it.value.as_str()]);
    attributes.iter().map(pair).collect()
}

/// Since 1970, as JavaScript counts.
fn micros(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() * 1e6
}

//! Traces as the page reads them. All text goes as data: the page never takes it for markup.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    KeyValue, TraceId,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_semantic_conventions::attribute;
use serde_json::{Value, json};

use super::store::{Kept, Log, Store};
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
        let began = kept.spans.iter().map(|span| span.start_time).min()?;
        let marks = rule.marks(&kept.spans);
        let spans = kept.spans.iter().map(|it| {
            let mut shown = span(it, began);
            shown["marks"] = json!(marks.get(&it.span_context.span_id()));
            shown
        });
        trace["spans"] = spans.collect();
        trace["logs"] = kept.logs.iter().map(|it| log(it, began)).collect();
        trace["dropped"] = json!(kept.dropped);
        Some(trace.to_string())
    })
}

/// A row of the list, once there is a span.
fn summary(kept: &Kept, rule: Rule) -> Option<Value> {
    let spans = &kept.spans;
    let ids = spans.iter().map(|span| span.span_context.span_id());
    let ids: HashSet<SpanId> = ids.collect();
    let began = spans.iter().map(|span| span.start_time).min()?;
    let ended = spans.iter().map(|span| span.end_time).max()?;
    let roots = spans
        .iter()
        .filter(|span| !ids.contains(&span.parent_span_id));
    let root = roots.min_by_key(|span| span.start_time)?;
    let find = |key: &str| {
        let mut attributes = root.attributes.iter();
        let found = attributes.find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.to_string())
    };
    let query = find(attribute::URL_QUERY).map(|query| format!("?{query}"));
    let path = find(attribute::URL_PATH).map(|path| path + &query.unwrap_or_default());
    let status = find(attribute::HTTP_RESPONSE_STATUS_CODE)
        .or_else(|| find(attribute::RPC_RESPONSE_STATUS_CODE));
    let mut marks: Vec<String> = rule.marks(spans).into_values().flatten().collect();
    marks.sort();
    marks.dedup();
    Some(json!({
        "id": kept.id.to_string(),
        "name": root.name,
        "kind": kind(root),
        "path": path,
        "status": status,
        "failed": spans.iter().any(|span| matches!(span.status, Status::Error { .. })),
        "session": find(attribute::SESSION_ID),
        "began": micros(began, UNIX_EPOCH) / 1e3,
        "took": micros(root.end_time, root.start_time),
        "spread": micros(ended, began),
        "running": kept.running,
        "count": spans.len(),
        "marks": marks,
    }))
}

pub(super) fn span(span: &SpanData, began: SystemTime) -> Value {
    let events = span.events.iter().map(|event| {
        json!({
            "name": event.name,
            "at": micros(event.timestamp, began),
            "attributes": pairs(&event.attributes),
        })
    });
    let links = span.links.iter().map(|link| {
        let to = &link.span_context;
        json!({ "trace": to.trace_id().to_string(), "span": to.span_id().to_string() })
    });
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
        "at": micros(span.start_time, began),
        "took": micros(span.end_time, span.start_time),
        "error": error,
        "attributes": pairs(&span.attributes),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
    })
}

pub(super) fn log(log: &Log, began: SystemTime) -> Value {
    json!({
        "span": log.span.to_string(),
        "at": micros(log.time, began),
        "level": log.level,
        "text": log.text,
        "attributes": log.attributes,
    })
}

fn kind(span: &SpanData) -> &'static str {
    let is_of_database = |attribute: &KeyValue| attribute.key.as_str() == attribute::DB_SYSTEM_NAME;
    match span.span_kind {
        SpanKind::Client if span.attributes.iter().any(is_of_database) => "database",
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

/// In the order in which they were set.
fn pairs<'a>(attributes: &'a [KeyValue]) -> Vec<(&'a str, String)> {
    let pair = |it: &'a KeyValue| (it.key.as_str(), it.value.as_str().into_owned());
    attributes.iter().map(pair).collect()
}

/// From `start` to `time`; negative for what was before.
fn micros(time: SystemTime, start: SystemTime) -> f64 {
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    match time.duration_since(start) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    }
}

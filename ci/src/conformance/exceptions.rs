//! Each exception is on record once: <https://opentelemetry.io/docs/specs/semconv/general/recording-errors/>. One that
//! passes through several operations is recorded by the first, whether as a span event or as a log record.

use super::report::Report;
use crate::receiver::Received;
use crate::signals::{Attributes, Span, Value};

/// Where an exception is on record.
struct Record<'a> {
    trace: &'a str,
    span: &'a str,
    exception: &'a str,
    message: &'a str,
}

pub fn judge(received: &Received, report: &mut Report) {
    let records = records(received);
    for (index, record) in records.iter().enumerate() {
        let again = records[..index].iter().any(|known| {
            let same = (known.trace, known.exception, known.message)
                == (record.trace, record.exception, record.message);
            let within = |inner: &str, outer: &str| is_within(inner, outer, record.trace, received);
            same && (within(known.span, record.span) || within(record.span, known.span))
        });
        if again {
            let Record {
                exception, message, ..
            } = record;
            let what = format!("`{exception}` ({message}) is on record twice");
            let span = find(record.trace, record.span, received);
            let name = span.map_or(record.span, |span| span.name.as_str());
            report.violate("exception", name, what);
        }
    }
}

fn records(received: &Received) -> Vec<Record<'_>> {
    let on_spans = received.spans.iter().flat_map(|span| {
        let events = span.events.iter();
        events.filter_map(|event| record(&span.trace_id, &span.span_id, &event.attributes))
    });
    let in_logs = received.logs.iter().filter_map(|log| {
        record(
            log.trace_id.as_deref()?,
            log.span_id.as_deref()?,
            &log.attributes,
        )
    });
    on_spans.chain(in_logs).collect()
}

fn record<'a>(trace: &'a str, span: &'a str, attributes: &'a Attributes) -> Option<Record<'a>> {
    let text = |key| attributes.get(key).and_then(Value::as_str);
    Some(Record {
        trace,
        span,
        exception: text("exception.type")?,
        message: text("exception.message").unwrap_or_default(),
    })
}

/// Whether the span `inner` is `outer`, or below it.
fn is_within(inner: &str, outer: &str, trace: &str, received: &Received) -> bool {
    let mut current = Some(inner);
    // A trace is no deeper than it has spans, even if its parents run in a circle.
    for _ in 0..=received.spans.len() {
        match current {
            Some(id) if id == outer => return true,
            Some(id) => {
                current = find(trace, id, received).and_then(|span| span.parent.as_deref());
            }
            None => return false,
        }
    }
    false
}

fn find<'a>(trace: &str, id: &str, received: &'a Received) -> Option<&'a Span> {
    let mut spans = received.spans.iter();
    spans.find(|span| span.trace_id == trace && span.span_id == id)
}

//! What is worth a second look in a trace: the same SQL again and again below one span (N+1), and spans that are slow by
//! themselves, not by what they wait for.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_semantic_conventions::attribute::DB_QUERY_SUMMARY;

use crate::env::Env;

/// From how many on the same SQL below one span is a loop that asks a database once for each row of something.
const MANY: usize = 5;

/// What counts as slow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    slow: Option<Duration>,
}

impl Rule {
    pub(crate) fn read(env: &mut Env) -> Self {
        let slow = env.milliseconds("TELEMETRY_SLOW_SPAN", Duration::from_millis(500));
        Self {
            slow: Some(slow).filter(|slow| !slow.is_zero()),
        }
    }

    /// By span, what is to be said of it, such as `12× SELECT items (N+1?)` or `slow`.
    pub(crate) fn marks(self, spans: &[SpanData]) -> HashMap<SpanId, Vec<String>> {
        let mut children: HashMap<SpanId, Vec<&SpanData>> = HashMap::new();
        for span in spans {
            children.entry(span.parent_span_id).or_default().push(span);
        }
        let mut marks = HashMap::new();
        for span in spans {
            let id = span.span_context.span_id();
            let below = children.get(&id).map_or(&[][..], Vec::as_slice);
            let mut said = repeated(below);
            if self.slow.is_some_and(|slow| own_time(span, below) >= slow) {
                said.push("slow".to_owned());
            }
            if !said.is_empty() {
                marks.insert(id, said);
            }
        }
        marks
    }
}

/// The statements that were made too often, by <https://opentelemetry.io/docs/specs/semconv/database/database-spans/>'s
/// `db.query.summary`: the same for any values.
fn repeated(children: &[&SpanData]) -> Vec<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for child in children {
        let mut attributes = child.attributes.iter();
        let summary = attributes.find(|attribute| attribute.key.as_str() == DB_QUERY_SUMMARY);
        if let Some(summary) = summary {
            *times.entry(summary.value.to_string()).or_default() += 1;
        }
    }
    times.retain(|_, times| *times >= MANY);
    let said = times
        .iter()
        .map(|(summary, times)| format!("{times}× {summary} (N+1?)"));
    said.collect()
}

/// How long a span took without what its children took of that. Children may overlap and outlive it.
fn own_time(span: &SpanData, children: &[&SpanData]) -> Duration {
    let within = |time: SystemTime| time.clamp(span.start_time, span.end_time.max(span.start_time));
    let mut waits: Vec<_> = children
        .iter()
        .map(|child| (within(child.start_time), within(child.end_time)))
        .collect();
    waits.sort_unstable();
    let mut own = Duration::ZERO;
    let mut until = span.start_time;
    for (start, end) in waits {
        own += start.duration_since(until).unwrap_or_default();
        until = until.max(end);
    }
    own + span.end_time.duration_since(until).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use opentelemetry::{
        KeyValue, TraceFlags,
        trace::{SpanContext, SpanKind, Status, TraceState},
    };
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    /// A span of trace 1 that took from `start` to `end`, in milliseconds.
    pub(crate) fn span(id: u64, parent: u64, name: &'static str, start: u64, end: u64) -> SpanData {
        let at = |milliseconds| UNIX_EPOCH + Duration::from_millis(milliseconds);
        let (trace, flags) = (1.into(), TraceFlags::SAMPLED);
        SpanData {
            span_context: SpanContext::new(trace, id.into(), flags, false, TraceState::NONE),
            parent_span_id: parent.into(),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: at(start),
            end_time: at(end),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: Default::default(),
        }
    }

    fn query(id: u64, parent: u64, summary: &'static str) -> SpanData {
        let mut span = span(id, parent, "SELECT", 0, 1);
        let summary = KeyValue::new(DB_QUERY_SUMMARY, summary);
        span.attributes.push(summary);
        span
    }

    fn marks(slow: &'static str, spans: &[SpanData]) -> Vec<(u64, Vec<String>)> {
        let rule = Rule::read(&mut Env::new(move |_| Some(slow.to_owned())));
        let mut marks: Vec<_> = rule
            .marks(spans)
            .into_iter()
            .map(|(id, said)| (u64::from_be_bytes(id.to_bytes()), said))
            .collect();
        marks.sort();
        marks
    }

    #[test]
    fn the_same_sql_five_times_below_one_span_is_marked_there() {
        let mut spans = vec![span(1, 0, "GET /orders", 0, 9), span(2, 1, "orders", 0, 9)];
        spans.extend((10..14).map(|id| query(id, 2, "SELECT items")));
        spans.extend((20..29).map(|id| query(id, 1, "SELECT users")));
        assert_eq!(
            marks("", &spans),
            [(1, vec!["9× SELECT users (N+1?)".to_owned()])]
        );
        spans.push(query(14, 2, "SELECT items"));
        assert_eq!(
            marks("", &spans)[1],
            (2, vec!["5× SELECT items (N+1?)".to_owned()])
        );
    }

    #[test]
    fn only_a_span_that_is_slow_by_itself_is_slow() {
        let spans = [
            span(1, 0, "server", 0, 1000),
            span(2, 1, "waits for both", 100, 950),
            span(3, 2, "one", 100, 600),
            span(4, 2, "other, after the end of its parent, too", 500, 2000),
        ];
        let slow = vec!["slow".to_owned()];
        assert_eq!(marks("500", &spans), [(3, slow.clone()), (4, slow.clone())]);
        assert_eq!(marks("150", &spans)[0], (1, slow));
        assert_eq!(marks("0", &spans), []);
    }
}

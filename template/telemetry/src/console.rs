//! Telemetry on the console: each finished trace as a tree, metrics as lines. For development.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanId, SpanKind, Status, TraceId},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
    trace::{Span, SpanData, SpanProcessor},
};
use opentelemetry_semantic_conventions::attribute;

/// Traces in the making at a time, and spans kept of each: an unfinished trace must not grow without end.
const MAX_TRACES: usize = 512;
const MAX_SPANS: usize = 256;

/// Prints a trace as soon as none of its spans is open any more.
#[derive(Debug)]
pub(crate) struct TraceTree {
    open: Mutex<HashMap<TraceId, Open>>,
    ansi: bool,
}

#[derive(Debug, Default)]
struct Open {
    running: usize,
    ended: Vec<SpanData>,
    dropped: usize,
}

impl TraceTree {
    pub(crate) fn stdout() -> Self {
        Self {
            open: Mutex::default(),
            ansi: io::stdout().is_terminal(),
        }
    }
}

impl SpanProcessor for TraceTree {
    fn on_start(&self, span: &mut Span, _: &Context) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let trace = span.span_context().trace_id();
        if open.len() < MAX_TRACES || open.contains_key(&trace) {
            open.entry(trace).or_default().running += 1;
        }
    }

    fn on_end(&self, span: SpanData) {
        let trace = span.span_context.trace_id();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = open.get_mut(&trace) else {
            return;
        };
        entry.running -= 1;
        if entry.ended.len() < MAX_SPANS {
            entry.ended.push(span);
        } else {
            entry.dropped += 1;
        }
        if entry.running == 0
            && let Some(Open { ended, dropped, .. }) = open.remove(&trace)
        {
            drop(open);
            let text = Tree::new(&ended, self.ansi).draw(dropped);
            // A closed stdout must not take the service down.
            let _ = io::stdout().lock().write_all(text.as_bytes());
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Tree<'a> {
    spans: &'a [SpanData],
    ansi: bool,
    text: String,
}

impl<'a> Tree<'a> {
    fn new(spans: &'a [SpanData], ansi: bool) -> Self {
        Self {
            spans,
            ansi,
            text: String::new(),
        }
    }

    fn draw(mut self, dropped: usize) -> String {
        let ids: Vec<SpanId> = self
            .spans
            .iter()
            .map(|span| span.span_context.span_id())
            .collect();
        let mut roots: Vec<&SpanData> = self
            .spans
            .iter()
            .filter(|span| !ids.contains(&span.parent_span_id))
            .collect();
        roots.sort_by_key(|span| span.start_time);
        for root in roots {
            let heading = format!(
                "  {}",
                self.dim(&format!("trace {}", root.span_context.trace_id()))
            );
            self.line(root, "", &heading);
            self.children(root, "");
        }
        if dropped > 0 {
            let _ = writeln!(
                self.text,
                "{}",
                self.dim(&format!("… and {dropped} spans more"))
            );
        }
        self.text
    }

    fn children(&mut self, parent: &SpanData, indent: &str) {
        let id = parent.span_context.span_id();
        let mut children: Vec<&SpanData> = self
            .spans
            .iter()
            .filter(|span| span.parent_span_id == id)
            .collect();
        children.sort_by_key(|span| span.start_time);
        let last = children.len().saturating_sub(1);
        for (index, child) in children.into_iter().enumerate() {
            let (branch, below) = if index == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            self.line(child, &format!("{indent}{branch}"), "");
            self.children(child, &format!("{indent}{below}"));
        }
    }

    fn line(&mut self, span: &SpanData, prefix: &str, heading: &str) {
        let duration = span
            .end_time
            .duration_since(span.start_time)
            .unwrap_or_default();
        let failed = matches!(span.status, Status::Error { .. });
        let name = if failed {
            self.paint("31", &span.name)
        } else {
            self.paint("1", &span.name)
        };
        let mark = if failed { " ✗" } else { "" };
        let details = details(span);
        let _ = writeln!(
            self.text,
            "{}{name}{mark}  {}{}{heading}",
            self.dim(prefix),
            self.paint("36", &format!("{:.1}ms", duration.as_secs_f64() * 1e3)),
            if details.is_empty() {
                String::new()
            } else {
                format!("  {details}")
            },
        );
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.ansi && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What one wants to know of a span at a glance, in this order: of an edge its outcome and what it was about, of an
/// inner span its own attributes.
fn details(span: &SpanData) -> String {
    // Shown bare, or with what stands here before the value.
    const OF_EDGES: [(&str, &str); 8] = [
        (attribute::HTTP_RESPONSE_STATUS_CODE, ""),
        (attribute::ERROR_TYPE, "error.type="),
        (attribute::URL_PATH, ""),
        (attribute::URL_QUERY, "?"),
        (attribute::URL_FULL, ""),
        (attribute::DB_SYSTEM_NAME, ""),
        (attribute::DB_QUERY_TEXT, ""),
        (attribute::SESSION_ID, "session.id="),
    ];
    let attributes: Vec<(&str, String)> = span.attributes.iter().map(shown).collect();
    let parts: Vec<String> = if span.span_kind == SpanKind::Internal {
        attributes
            .iter()
            .filter(|(key, _)| *key != attribute::SESSION_ID)
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    } else {
        OF_EDGES
            .iter()
            // The session is the whole trace's: once is enough.
            .filter(|(key, _)| span.span_kind == SpanKind::Server || *key != attribute::SESSION_ID)
            .filter_map(|(key, before)| {
                let (_, value) = attributes.iter().find(|(known, _)| known == key)?;
                Some(format!("{before}{value}"))
            })
            .collect()
    };
    parts.join("  ")
}

/// An attribute as it is shown: on one line, without control characters, not endless.
fn shown(attribute: &KeyValue) -> (&str, String) {
    const MAX_CHARS: usize = 120;
    let text = attribute.value.as_str();
    let mut words = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    if let Some((end, _)) = words.char_indices().nth(MAX_CHARS) {
        words.truncate(end);
        words.push('…');
    }
    (attribute.key.as_str(), words)
}

/// Metrics as lines, one a data point, at each collection.
#[derive(Debug)]
pub(crate) struct MetricLines;

impl PushMetricExporter for MetricLines {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut text = String::new();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let points = match metric.data() {
                AggregatedMetrics::F64(data) => points(data),
                AggregatedMetrics::I64(data) => points(data),
                AggregatedMetrics::U64(data) => points(data),
            };
            for point in points {
                let _ = writeln!(text, "metric {} {point} {}", metric.name(), metric.unit());
            }
        }
        let _ = io::stdout().lock().write_all(text.as_bytes());
        Ok(())
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// `{attributes} value` of each data point.
fn points<T: Copy + std::fmt::Display>(data: &MetricData<T>) -> Vec<String> {
    fn attributes<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
        let pairs: Vec<_> = attributes
            .map(shown)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!("{{{}}}", pairs.join(" "))
    }
    match data {
        MetricData::Gauge(gauge) => gauge
            .data_points()
            .map(|point| format!("{} {}", attributes(point.attributes()), point.value()))
            .collect(),
        MetricData::Sum(sum) => sum
            .data_points()
            .map(|point| format!("{} {}", attributes(point.attributes()), point.value()))
            .collect(),
        MetricData::Histogram(histogram) => histogram
            .data_points()
            .map(|point| {
                format!(
                    "{} count {} sum {}",
                    attributes(point.attributes()),
                    point.count(),
                    point.sum()
                )
            })
            .collect(),
        MetricData::ExponentialHistogram(histogram) => histogram
            .data_points()
            .map(|point| {
                format!(
                    "{} count {} sum {}",
                    attributes(point.attributes()),
                    point.count(),
                    point.sum()
                )
            })
            .collect(),
    }
}

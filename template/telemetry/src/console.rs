//! Telemetry on the console: each finished trace as a tree, metrics as lines. For development.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context,
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

/// What one wants to know of a span at a glance: of an edge its outcome, of an inner span its own attributes.
fn details(span: &SpanData) -> String {
    const OF_EDGES: [&str; 8] = [
        attribute::HTTP_RESPONSE_STATUS_CODE,
        attribute::URL_QUERY,
        attribute::URL_FULL,
        attribute::DB_SYSTEM_NAME,
        attribute::DB_QUERY_TEXT,
        attribute::DB_RESPONSE_STATUS_CODE,
        attribute::ERROR_TYPE,
        attribute::SESSION_ID,
    ];
    let inner = span.span_kind == SpanKind::Internal;
    let mut parts: Vec<String> = Vec::new();
    for KeyValueText { key, value } in span.attributes.iter().map(KeyValueText::of) {
        match key {
            attribute::HTTP_RESPONSE_STATUS_CODE
            | attribute::URL_FULL
            | attribute::DB_SYSTEM_NAME => {
                parts.push(value);
            }
            attribute::URL_QUERY => parts.push(format!("?{value}")),
            attribute::DB_QUERY_TEXT => {
                parts.push(value.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            attribute::SESSION_ID if span.span_kind != SpanKind::Server => {}
            key if inner || OF_EDGES.contains(&key) => parts.push(format!("{key}={value}")),
            _ => {}
        }
    }
    parts.join("  ")
}

/// An attribute as it is shown: one line, no control characters, no endless values.
struct KeyValueText<'a> {
    key: &'a str,
    value: String,
}

impl<'a> KeyValueText<'a> {
    fn of(attribute: &'a opentelemetry::KeyValue) -> Self {
        let text = attribute.value.as_str();
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut value: String = plain.take(160).collect();
        if text.chars().nth(160).is_some() {
            value.push('…');
        }
        Self {
            key: attribute.key.as_str(),
            value,
        }
    }
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
    fn attributes<'a>(attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>) -> String {
        let pairs: Vec<_> = attributes
            .map(KeyValueText::of)
            .map(|KeyValueText { key, value }| format!("{key}={value}"))
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

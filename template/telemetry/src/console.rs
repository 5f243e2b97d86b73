//! Telemetry on the console: each finished trace as a tree, metrics as lines. For development.

mod metrics;

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
    trace::{Span, SpanData, SpanProcessor},
};
use opentelemetry_semantic_conventions::attribute;

use crate::{
    marks::Rule,
    printable::{is_unseen, printable},
};

pub(crate) use metrics::MetricLines;

/// Traces in the making at a time, and spans kept of each: an unfinished trace must not grow without end.
const MAX_TRACES: usize = 512;
const MAX_SPANS: usize = 256;

/// Prints a trace as soon as none of its spans is open any more.
#[derive(Debug)]
pub(crate) struct TraceTree {
    open: Mutex<HashMap<TraceId, Open>>,
    style: Style,
}

/// How trees look.
#[derive(Debug)]
struct Style {
    ansi: bool,
    rule: Rule,
    /// What to put before a trace's id, so that it opens the page with the trace.
    link: String,
}

#[derive(Debug, Default)]
struct Open {
    running: usize,
    ended: Vec<SpanData>,
    dropped: usize,
}

impl TraceTree {
    pub(crate) fn stdout(rule: Rule, page: Option<&str>) -> Self {
        Self {
            open: Mutex::default(),
            style: Style {
                ansi: io::stdout().is_terminal(),
                rule,
                link: page.map_or_else(String::new, |url| format!("{url}/#")),
            },
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
            let text = Tree::new(&ended, &self.style).draw(dropped);
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
    marks: HashMap<SpanId, Vec<String>>,
    style: &'a Style,
    text: String,
}

impl<'a> Tree<'a> {
    fn new(spans: &'a [SpanData], style: &'a Style) -> Self {
        Self {
            spans,
            marks: style.rule.marks(spans),
            style,
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
            let (link, id) = (&self.style.link, root.span_context.trace_id());
            let heading = format!("  {}", self.dim(&format!("trace {link}{id}")));
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
        let name = printable(&span.name);
        let name = self.paint(if failed { "31" } else { "1" }, &name);
        let mark = if failed { " ✗" } else { "" };
        let marks = self.marks.get(&span.span_context.span_id());
        let marks = marks.map_or_else(String::new, |marks| {
            format!("  {}", self.paint("33", &format!("⚠ {}", marks.join(", "))))
        });
        let details = details(span);
        let _ = writeln!(
            self.text,
            "{}{name}{mark}  {}{marks}{}{heading}",
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
        if self.style.ansi && !text.is_empty() {
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
                // A path that the name says already says nothing more.
                let said = *key == attribute::URL_PATH && span.name.ends_with(value.as_str());
                (!said).then(|| format!("{before}{value}"))
            })
            .collect()
    };
    parts.join("  ")
}

/// An attribute as it is shown: on one line, without what cannot be seen, not endless.
fn shown(attribute: &KeyValue) -> (&str, String) {
    const MAX_CHARS: usize = 120;
    let text = attribute.value.as_str();
    let mut words = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || is_unseen(c))
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

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

    use super::*;
    use crate::{env::Env, marks::tests::span};

    fn plain(link: &str) -> Style {
        Style {
            ansi: false,
            rule: Rule::read(&mut Env::new(|_| None)),
            link: link.to_owned(),
        }
    }

    #[test]
    fn what_is_worth_a_second_look_is_marked_and_the_trace_is_a_link_to_its_page() {
        let mut spans = vec![span(1, 0, "orders", 0, 700), span(2, 1, "sleep", 0, 600)];
        for id in 3..8 {
            let mut query = span(id, 1, "SELECT items", 600 + id, 601 + id);
            let summary = KeyValue::new(attribute::DB_QUERY_SUMMARY, "SELECT items");
            query.attributes.push(summary);
            spans.push(query);
        }
        let style = plain("http://127.0.0.1:4319/#");
        let tree = Tree::new(&spans, &style).draw(0);
        let lines: Vec<_> = tree.lines().take(2).collect();
        assert_eq!(
            lines,
            [
                "orders  700.0ms  ⚠ 5× SELECT items (N+1?)  trace http://127.0.0.1:4319/#00000000000000000000000000000001",
                "├─ sleep  600.0ms  ⚠ slow",
            ]
        );
    }

    #[test]
    fn a_trace_is_a_tree_without_control_characters() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let tracer = opentelemetry::trace::TracerProvider::tracer(&provider, "test");
        let start = |name: &'static str, kind, attributes: Vec<KeyValue>, parent: &Context| {
            let builder = tracer.span_builder(name).with_kind(kind);
            let span = builder.with_attributes(attributes);
            parent.with_span(tracer.build_with_context(span, parent))
        };
        let path = KeyValue::new(attribute::URL_PATH, "/users/1\u{1b}[2J\nX");
        let root = start(
            "GET /users/{id}",
            SpanKind::Server,
            vec![path],
            &Context::new(),
        );
        let inner = vec![KeyValue::new("user.id", 1)];
        let inner = start("db.get_user", SpanKind::Internal, inner, &root);
        let query = vec![KeyValue::new(attribute::DB_QUERY_TEXT, "SELECT  1\n")];
        let query = start("SELECT", SpanKind::Client, query, &inner);
        query.span().set_status(Status::error("broken"));
        for context in [query, inner, root] {
            context.span().end();
        }

        let spans = exporter
            .get_finished_spans()
            .expect("the exporter keeps spans");
        let tree = Tree::new(&spans, &plain("")).draw(0);

        let trace = spans[0].span_context.trace_id();
        let shape: Vec<String> = tree
            .lines()
            .map(|line| {
                let words = line.split("  ").filter(|word| !word.ends_with("ms"));
                words.collect::<Vec<_>>().join("  ")
            })
            .collect();
        assert_eq!(
            shape,
            [
                format!("GET /users/{{id}}  /users/1 [2J X  trace {trace}"),
                "└─ db.get_user  user.id=1".to_owned(),
                "   └─ SELECT ✗  SELECT 1".to_owned(),
            ]
        );
    }
}

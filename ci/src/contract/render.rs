//! A recording as text: a file a step, and some for the whole run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::metrics::metrics;
use super::normal;
use crate::scenario::{Recording, StepRecord, Transport};
use crate::signals::tree::{Node, linked, trees};
use crate::signals::{Attributes, LogRecord, MetricPoint, Resource, Span, Status, Value};

/// Text by file name, as it belongs into the contract's folder.
pub type Rendered = BTreeMap<String, String>;

/// How many signals there are, or should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub spans: usize,
    pub metrics: usize,
    pub logs: usize,
}

impl Counts {
    /// What contract files speak of. This, not what the service says, is what a run is expected to deliver.
    pub fn of_text<'a>(files: impl IntoIterator<Item = &'a str>) -> Self {
        const KINDS: [&str; 5] = ["SERVER ", "CLIENT ", "INTERNAL ", "PRODUCER ", "CONSUMER "];
        let mut counts = Self::default();
        // The series of one metric may be in several files.
        let mut metrics = BTreeSet::new();
        for line in files.into_iter().flat_map(str::lines).map(str::trim_start) {
            counts.spans += usize::from(KINDS.iter().any(|kind| line.starts_with(kind)));
            let metric = line.strip_prefix("METRIC ");
            metrics.extend(metric.and_then(|rest| rest.split(' ').next()));
            counts.logs += usize::from(line.starts_with("LOG "));
        }
        counts.metrics = metrics.len();
        counts
    }

    pub fn of_signals(spans: &[Span], metrics: &[MetricPoint], logs: &[LogRecord]) -> Self {
        let names: BTreeSet<_> = metrics.iter().map(|point| &point.name).collect();
        Self {
            spans: spans.len(),
            metrics: names.len(),
            logs: logs.len(),
        }
    }
}

/// Everything of `recording` that the contract speaks of.
pub fn render(recording: &Recording) -> Rendered {
    let mut files = Rendered::new();
    for record in &recording.steps {
        if let Some(mut name) = record.step.contract(&recording.parts) {
            if recording.transport == Transport::Http {
                name.push_str(record.step.over_http());
            }
            files.insert(format!("{name}.txt"), step(record, recording));
        }
    }
    if recording.transport == Transport::Grpc {
        files.extend(metrics(&recording.received.metrics));
        files.extend(outside(recording));
        files.insert("resource.txt".to_owned(), resources(recording));
    }
    files
}

fn step(record: &StepRecord, recording: &Recording) -> String {
    let request = &record.step.request;
    let mut text = format!("{} {}", request.method, request.target);
    match &record.answer {
        Some(answer) => {
            let kind = answer.header("content-type").unwrap_or("no body");
            let _ = writeln!(text, " -> {} {kind}", request.outcome(answer.status));
        }
        None => text.push_str(" -> the client hung up\n"),
    }
    let received = &recording.received;
    let of_trace = |id: Option<&str>| {
        let spans = received.spans.iter();
        let spans: Vec<&Span> = spans
            .filter(|span| Some(span.trace_id.as_str()) == id)
            .collect();
        let logs = received.logs.iter();
        let logs = logs.filter(|log| id.is_some() && log.trace_id.as_deref() == id);
        (spans, logs.collect())
    };
    let (spans, logs) = of_trace(record.trace_id.as_deref());
    trace(&mut text, &spans, logs);
    let trace_id = record.trace_id.as_deref().unwrap_or_default();
    for follower in linked(trace_id, &received.spans) {
        text.push_str("\nA TRACE THAT IS LINKED TO IT\n");
        let (spans, logs) = of_trace(Some(follower));
        trace(&mut text, &spans, logs);
    }
    for call in &record.calls {
        text.push_str("\nUPSTREAM GOT\n");
        for name in ["traceparent", "tracestate", "baggage", "x-session-id"] {
            let value = call.get(name).map(|value| propagated(name, value, &spans));
            let _ = writeln!(text, "  {name}: {}", value.as_deref().unwrap_or("(absent)"));
        }
    }
    text
}

/// A header that was sent on, with ids replaced by what they mean.
fn propagated(name: &str, value: &str, spans: &[&Span]) -> String {
    if name == "baggage" {
        // Its entries have no order.
        let mut entries: Vec<&str> = value.split(',').collect();
        entries.sort_unstable();
        return normal::text(&entries.join(","));
    }
    if name != "traceparent" {
        return normal::text(value);
    }
    let mut parts = value.split('-');
    let (_version, trace_id, span_id, flags) =
        (parts.next(), parts.next(), parts.next(), parts.next());
    let same_trace = spans
        .first()
        .is_some_and(|span| Some(span.trace_id.as_str()) == trace_id);
    let sender = spans
        .iter()
        .find(|span| Some(span.span_id.as_str()) == span_id);
    match sender {
        Some(span) if same_trace => format!(
            "of {} {}, flags {}",
            span.kind,
            span.name,
            flags.unwrap_or("(none)")
        ),
        _ => format!("OF AN UNKNOWN SPAN: {value}"),
    }
}

fn trace(text: &mut String, spans: &[&Span], mut logs: Vec<&LogRecord>) {
    for root in trees(spans) {
        text.push('\n');
        node(text, &root, 0);
    }
    logs.sort_by_key(|log| log.time.max(log.observed));
    for record in logs {
        text.push('\n');
        let within = spans
            .iter()
            .find(|span| Some(&span.span_id) == record.span_id.as_ref());
        log(text, record, within.copied());
    }
}

fn node(text: &mut String, node: &Node<'_>, depth: usize) {
    let span = node.span;
    let pad = "  ".repeat(depth);
    let _ = write!(
        text,
        "{pad}{} {} [{}]",
        span.kind, span.name, span.scope.name
    );
    if depth == 0 {
        text.push_str(match (&span.parent, span.has_remote_parent()) {
            (None, _) => " begins the trace",
            (Some(_), true) => " continues the caller's trace",
            (Some(_), false) => " ITS PARENT IS MISSING",
        });
    }
    text.push('\n');
    attributes(text, &span.attributes, depth + 2);
    match &span.status {
        Status::Unset => {}
        Status::Ok => _ = writeln!(text, "{pad}  STATUS Ok"),
        Status::Error(description) if description.is_empty() => {
            _ = writeln!(text, "{pad}  STATUS Error")
        }
        Status::Error(description) => {
            _ = writeln!(text, "{pad}  STATUS Error: {}", normal::text(description))
        }
    }
    if !span.trace_state.is_empty() {
        let _ = writeln!(text, "{pad}  TRACESTATE {}", span.trace_state);
    }
    for event in &span.events {
        let _ = writeln!(text, "{pad}  EVENT {}", event.name);
        attributes(text, &event.attributes, depth + 3);
    }
    for link in &span.links {
        let same = if link.trace_id == span.trace_id {
            "in this trace"
        } else {
            "in another trace"
        };
        let _ = writeln!(text, "{pad}  LINK to a span {same}");
        attributes(text, &link.attributes, depth + 3);
    }
    for child in &node.children {
        self::node(text, child, depth + 1);
    }
}

fn log(text: &mut String, record: &LogRecord, within: Option<&Span>) {
    let event = if record.event_name.is_empty() {
        String::new()
    } else {
        format!(" {}", record.event_name)
    };
    let body = normal::text(&record.body.to_string());
    let _ = writeln!(
        text,
        "LOG {}{event} [{}] {body}",
        record.severity_text,
        scope_of(record)
    );
    if let Some(span) = within {
        let _ = writeln!(text, "  in {} {}", span.kind, span.name);
    }
    attributes(text, &record.attributes, 2);
}

/// The module that wrote it; the program's own is called as the user called the project.
fn scope_of(record: &LogRecord) -> &str {
    let service = record
        .resource
        .attributes
        .get("service.name")
        .and_then(Value::as_str);
    let is_own = service.is_some_and(|name| name.replace('-', "_") == record.scope.name);
    if is_own {
        "<service.name>"
    } else {
        &record.scope.name
    }
}

fn attributes(text: &mut String, all: &Attributes, depth: usize) {
    for (key, value) in normal::attributes(all) {
        let _ = writeln!(text, "{}{key}: {value}", "  ".repeat(depth));
    }
}

/// What the service sends outside of the scenario's requests: from its start and its end. What a companion of the web
/// server says is in a file of its own, `outside.<part>.txt`.
fn outside(recording: &Recording) -> Rendered {
    let asked = recording.steps.iter();
    let asked = asked.filter_map(|record| record.trace_id.as_deref());
    let ours: BTreeSet<&str> = asked
        .flat_map(|trace| [vec![trace], linked(trace, &recording.received.spans)].concat())
        .collect();
    let spans = recording
        .received
        .spans
        .iter()
        .filter(|span| !ours.contains(span.trace_id.as_str()))
        .collect::<Vec<_>>();
    let mut logs: BTreeMap<&str, Vec<&LogRecord>> = BTreeMap::from([("", Vec::new())]);
    for log in &recording.received.logs {
        let trace = log.trace_id.as_deref();
        if trace.is_none_or(|trace| !ours.contains(trace)) {
            logs.entry(companion_of(log)).or_default().push(log);
        }
    }
    let mut files = Rendered::new();
    for (companion, logs) in logs {
        let mut text = "Start and end of the service\n".to_owned();
        let (name, spans) = match companion {
            "" => ("outside.txt".to_owned(), &spans[..]),
            part => (format!("outside.{part}.txt"), &[][..]),
        };
        trace(&mut text, spans, logs);
        files.insert(name, text);
    }
    files
}

/// The part whose module wrote it, for parts that run beside the web server; empty for everything else.
fn companion_of(record: &LogRecord) -> &'static str {
    let mut path = record.scope.name.split("::");
    let module = (path.next() == Some("service")).then(|| path.next());
    match module.flatten() {
        Some("grpc") => "grpc",
        Some("jobs") => "jobs",
        _ => "",
    }
}

/// The resource, which all signals share.
fn resources(recording: &Recording) -> String {
    let received = &recording.received;
    let all = (received.spans.iter().map(|span| &span.resource))
        .chain(received.metrics.iter().map(|point| &point.resource))
        .chain(received.logs.iter().map(|log| &log.resource));
    let mut distinct: Vec<&Resource> = Vec::new();
    for resource in all {
        if !distinct.contains(&resource.as_ref()) {
            distinct.push(resource);
        }
    }
    let mut text = String::new();
    for resource in distinct {
        let _ = writeln!(text, "RESOURCE of every span, metric and log record");
        let mut known = resource.attributes.clone();
        // Depends on where the run takes place.
        known.retain(|key, _| !key.starts_with("container."));
        attributes(&mut text, &known, 1);
    }
    text
}

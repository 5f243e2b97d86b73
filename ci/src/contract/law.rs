//! What holds of every run, whatever the contract's files say; `bless` cannot make it legal.

use std::collections::BTreeSet;

use crate::client::Answer;
use crate::scenario::{Leaves, Recording, SESSION, StepRecord, Transport};
use crate::signals::tree::linked;
use crate::signals::{Attributes, Kind, Span};

/// One sentence for each breach.
pub fn breaches(recording: &Recording) -> Vec<String> {
    let mut breaches = Vec::new();
    for record in &recording.steps {
        let mut say = |what: String| breaches.push(format!("{}: {what}", record.step.name));
        let spans = spans_of(record, recording);
        server_spans(record, &spans, &mut say);
        parents(record, &spans, &mut say);
        session(record, &spans, recording.transport, &mut say);
        followers(record, &spans, recording, &mut say);
        if let Some(answer) = &record.answer {
            self::answer(record, answer, &spans, &mut say);
        }
    }
    consumers(recording, &mut breaches);
    flush(recording, &mut breaches);
    secrets(recording, &mut breaches);
    console(recording, &mut breaches);
    breaches
}

fn spans_of<'a>(record: &StepRecord, recording: &'a Recording) -> Vec<&'a Span> {
    of_trace(record.trace_id.as_deref().unwrap_or_default(), recording)
}

fn of_trace<'a>(trace: &str, recording: &'a Recording) -> Vec<&'a Span> {
    let spans = recording.received.spans.iter();
    spans.filter(|span| span.trace_id == trace).collect()
}

/// One request, one server span for each server that handles it.
fn server_spans(record: &StepRecord, spans: &[&Span], say: &mut impl FnMut(String)) {
    let servers = spans
        .iter()
        .filter(|span| span.kind == Kind::Server)
        .count();
    let expected = record.step.servers;
    match record.step.leaves {
        Leaves::Trace if servers != expected => {
            say(format!("{servers} server spans instead of {expected}"))
        }
        Leaves::Nothing | Leaves::OnlyMetrics if !spans.is_empty() => {
            say(format!("{} spans, where none may be", spans.len()));
        }
        _ => {}
    }
}

/// Every span but the server's has its parent in the trace, and the server's is the caller's span. The caller of a peer is
/// the service itself, by a client span.
fn parents(record: &StepRecord, spans: &[&Span], say: &mut impl FnMut(String)) {
    for span in spans {
        match (span.kind, parent_of(span, spans)) {
            (Kind::Server, Some(caller)) if caller.kind == Kind::Client => {}
            (Kind::Server, None) if span.parent == record.remote_parent => {}
            (Kind::Server, _) => {
                let parent = span.parent.as_deref().unwrap_or("none");
                say(format!(
                    "the server span's parent is {parent}, not the caller's span"
                ));
            }
            (_, Some(_)) => {}
            (_, None) => say(format!(
                "the parent of {} {} is not in the trace",
                span.kind, span.name
            )),
        }
    }
}

fn parent_of<'a>(span: &Span, spans: &[&'a Span]) -> Option<&'a Span> {
    let parent = span.parent.as_deref()?;
    spans.iter().copied().find(|other| other.span_id == parent)
}

/// Whether the span is the work of a peer that the service called.
fn is_of_a_peer(span: &Span, spans: &[&Span]) -> bool {
    match parent_of(span, spans) {
        Some(_) if span.kind == Kind::Server => true,
        Some(parent) => is_of_a_peer(parent, spans),
        None => false,
    }
}

/// What a request set off and did not wait for is in traces that are linked to its own: each begins with one span, which
/// serves nobody and whose link leads to a span of the request's trace, and belongs to the same session.
fn followers(
    record: &StepRecord,
    spans: &[&Span],
    recording: &Recording,
    say: &mut impl FnMut(String),
) {
    let trace = record.trace_id.as_deref().unwrap_or_default();
    for follower in linked(trace, &recording.received.spans) {
        let of_follower = of_trace(follower, recording);
        let (roots, others): (Vec<&Span>, Vec<&Span>) =
            of_follower.iter().partition(|span| span.parent.is_none());
        if roots.len() != 1 {
            say(format!("a linked trace with {} beginnings", roots.len()));
        }
        for root in roots {
            let leads_here = |span: &&Span| root.links.iter().any(|to| to.span_id == span.span_id);
            if !spans.iter().any(leads_here) {
                let Span { kind, name, .. } = root;
                say(format!("the link of {kind} {name} leads to no span"));
            }
        }
        if of_follower.iter().any(|span| span.kind == Kind::Server) {
            say("a server span in a linked trace".to_owned());
        }
        let known: BTreeSet<&str> = of_follower.iter().map(|span| &*span.span_id).collect();
        let lost = |span: &&&Span| !span.parent.as_deref().is_some_and(|id| known.contains(id));
        for Span { kind, name, .. } in others.iter().filter(lost) {
            say(format!("the parent of {kind} {name} is not in the trace"));
        }
        session(record, &of_follower, recording.transport, say);
    }
}

/// Nobody consumes what nobody sent: who processes a message does so in the trace of its sender, or is linked to it.
fn consumers(recording: &Recording, breaches: &mut Vec<String>) {
    let alone = |span: &&Span| {
        span.kind == Kind::Consumer && span.parent.is_none() && span.links.is_empty()
    };
    for Span { kind, name, .. } in recording.received.spans.iter().filter(alone) {
        breaches.push(format!(
            "{kind} {name} begins a trace and is linked to nothing"
        ));
    }
}

/// Where nothing is exported but at the end, all spans come after the service was told to stop.
fn flush(recording: &Recording, breaches: &mut Vec<String>) {
    let received = recording.received.spans.len();
    if recording.transport == Transport::Grpc && received == recording.spans_before_stop {
        breaches.push(
            "no span came after the service was told to stop: nothing was flushed".to_owned(),
        );
    }
}

/// The session that the request names is on every span of its trace; one that is not valid is on none. It leaves to trusted
/// hosts only, and the peer is one in the run over HTTP.
fn session(
    record: &StepRecord,
    spans: &[&Span],
    transport: Transport,
    say: &mut impl FnMut(String),
) {
    let headers = &record.step.request.headers;
    let sent = headers
        .iter()
        .find(|(name, _)| *name == "x-session-id")
        .map(|(_, id)| id.as_str());
    let valid = sent.filter(|id| *id == SESSION);
    for span in spans {
        let is_told = transport == Transport::Http || !is_of_a_peer(span, spans);
        let valid = valid.filter(|_| is_told);
        match (valid, span.string("session.id")) {
            (Some(sent), got) if got != Some(sent) => {
                say(format!("the session is not on {} {}", span.kind, span.name))
            }
            (None, Some(_)) => say(format!(
                "a session is on {} {}, although none was sent",
                span.kind, span.name
            )),
            _ => {}
        }
    }
}

/// The answer leads to the trace: `traceresponse`, `Server-Timing` and the problem's `trace_id`.
fn answer(record: &StepRecord, answer: &Answer, spans: &[&Span], say: &mut impl FnMut(String)) {
    if record.step.leaves == Leaves::Nothing {
        return;
    }
    if record.step.request.is_grpc() {
        // Its caller has a trace, or a tool that begins one: these headers are for browsers and people.
        for name in ["traceresponse", "server-timing"] {
            if let Some(value) = answer.header(name) {
                say(format!("the answer has {name}: {value}"));
            }
        }
        return;
    }
    let trace_id = record.trace_id.as_deref().unwrap_or_default();
    let response = answer.header("traceresponse").unwrap_or_default();
    let is_ours = |span: &&&Span| span.kind == Kind::Server && !is_of_a_peer(span, spans);
    if let Some(server) = spans.iter().find(is_ours) {
        // Callers send no random flag; a trace that begins here has it.
        let flags = if server.parent.is_some() { "01" } else { "03" };
        let expected = format!("00-{trace_id}-{}-{flags}", server.span_id);
        if response != expected {
            say(format!(
                "traceresponse is `{response}` instead of `{expected}`"
            ));
        }
    }
    let timing = answer.header("server-timing").unwrap_or_default();
    if response.is_empty() || timing != format!("traceparent;desc=\"{response}\"") {
        say(format!(
            "server-timing is `{timing}`, traceresponse `{response}`"
        ));
    }
    if answer.status >= 400 {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.header("content-type") != Some("application/problem+json")
            || body["trace_id"] != trace_id
        {
            let body = String::from_utf8_lossy(&answer.body);
            say(format!(
                "a {} without a problem that names the trace: {body}",
                answer.status
            ));
        }
    }
}

/// Nothing that the scenario put into headers, bodies, bind values or credentials is in any signal or log line.
fn secrets(recording: &Recording, breaches: &mut Vec<String>) {
    let secret = recording.secret;
    let leaks = |attributes: &Attributes| {
        let leaking = attributes
            .iter()
            .filter(|(_, value)| value.to_string().contains(secret));
        leaking.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    for span in &recording.received.spans {
        let events = span
            .events
            .iter()
            .flat_map(|event| leaks(&event.attributes));
        let mut keys: Vec<String> = leaks(&span.attributes).into_iter().chain(events).collect();
        if format!("{} {:?}", span.name, span.status).contains(secret) {
            keys.push("name or status".to_owned());
        }
        breaches.extend(
            keys.into_iter()
                .map(|key| format!("a secret is in {key} of span {}", span.name)),
        );
    }
    for point in &recording.received.metrics {
        let keys = leaks(&point.attributes).into_iter();
        breaches.extend(keys.map(|key| format!("a secret is in {key} of metric {}", point.name)));
    }
    for log in &recording.received.logs {
        let mut keys = leaks(&log.attributes);
        if log.body.to_string().contains(secret) {
            keys.push("the body".to_owned());
        }
        breaches.extend(
            keys.into_iter()
                .map(|key| format!("a secret is in {key} of a log record: {}", log.body)),
        );
    }
    let lines = recording.ended.lines.iter().chain(&recording.ended.errors);
    let leaking = lines.filter(|line| line.contains(secret));
    breaches.extend(leaking.map(|line| format!("a secret is on the console: {line}")));
}

/// Where stdout is no terminal, each line is one JSON object with the usual keys, nothing goes to stderr, and an exception
/// leaves a line that leads to its trace.
fn console(recording: &Recording, breaches: &mut Vec<String>) {
    let mut with_errors = BTreeSet::new();
    for line in &recording.ended.lines {
        let log: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if ["timestamp", "level", "target", "message"]
            .iter()
            .any(|key| !log[key].is_string())
        {
            breaches.push(format!("not a JSON log line: {line}"));
        }
        if log["level"] == "ERROR" {
            with_errors.extend(log["trace_id"].as_str().map(str::to_owned));
        }
    }
    for record in recording.steps.iter().filter(|record| record.step.raises) {
        if record
            .trace_id
            .as_ref()
            .is_none_or(|trace| !with_errors.contains(trace))
        {
            breaches.push(format!(
                "{}: no log line on the console names its trace",
                record.step.name
            ));
        }
    }
    breaches.extend(
        recording
            .ended
            .errors
            .iter()
            .map(|line| format!("on stderr: {line}")),
    );
}

#[cfg(test)]
mod tests;

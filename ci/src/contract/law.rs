//! What holds of every run, whatever the contract's files say; `bless` cannot make it legal.

use std::collections::BTreeSet;

use crate::client::Answer;
use crate::scenario::{Leaves, Recording, StepRecord};
use crate::signals::{Attributes, Kind, Span};

/// One sentence for each breach.
pub fn breaches(recording: &Recording) -> Vec<String> {
    let mut breaches = Vec::new();
    for record in &recording.steps {
        let mut say = |what: String| breaches.push(format!("{}: {what}", record.step.name));
        let spans = spans_of(record, recording);
        server_spans(record, &spans, &mut say);
        parents(record, &spans, &mut say);
        if let Some(answer) = &record.answer {
            self::answer(record, answer, &spans, &mut say);
        }
    }
    secrets(recording, &mut breaches);
    console(recording, &mut breaches);
    breaches
}

fn spans_of<'a>(record: &StepRecord, recording: &'a Recording) -> Vec<&'a Span> {
    let trace = record.trace_id.as_deref();
    recording
        .received
        .spans
        .iter()
        .filter(|span| Some(span.trace_id.as_str()) == trace)
        .collect()
}

/// One request, one server span.
fn server_spans(record: &StepRecord, spans: &[&Span], say: &mut impl FnMut(String)) {
    let servers = spans
        .iter()
        .filter(|span| span.kind == Kind::Server)
        .count();
    match record.step.leaves {
        Leaves::Trace | Leaves::TraceByDatabase if servers != 1 => {
            say(format!("{servers} server spans instead of 1"))
        }
        Leaves::Nothing | Leaves::OnlyMetrics if !spans.is_empty() => {
            say(format!("{} spans, where none may be", spans.len()));
        }
        _ => {}
    }
}

/// Every span but the server's has its parent in the trace, and the server's is the caller's span.
fn parents(record: &StepRecord, spans: &[&Span], say: &mut impl FnMut(String)) {
    let known: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    for span in spans {
        if span.kind == Kind::Server {
            if span.parent != record.remote_parent {
                let parent = span.parent.as_deref().unwrap_or("none");
                say(format!(
                    "the server span's parent is {parent}, not the caller's span"
                ));
            }
        } else if span
            .parent
            .as_deref()
            .is_none_or(|parent| !known.contains(parent))
        {
            say(format!(
                "the parent of {} {} is not in the trace",
                span.kind, span.name
            ));
        }
    }
}

/// The answer leads to the trace: `traceresponse`, `Server-Timing` and the problem's `trace_id`.
fn answer(record: &StepRecord, answer: &Answer, spans: &[&Span], say: &mut impl FnMut(String)) {
    if record.step.leaves == Leaves::Nothing {
        return;
    }
    let trace_id = record.trace_id.as_deref().unwrap_or_default();
    let response = answer.header("traceresponse").unwrap_or_default();
    if let Some(server) = spans.iter().find(|span| span.kind == Kind::Server) {
        let expected = format!("00-{trace_id}-{}-01", server.span_id);
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
mod tests {
    use std::collections::BTreeMap;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use super::*;
    use crate::receiver::Received;
    use crate::scenario::{Parts, SECRET, Transport, steps};
    use crate::service::Ended;
    use crate::signals::samples;

    /// The step `user-found` as it must go, its answer and its spans.
    fn recording() -> Recording {
        let (server, inner, database) = samples::trace();
        let step = steps()
            .into_iter()
            .find(|step| step.name == "user-found")
            .unwrap();
        let response = format!("00-{}-{}-01", server.trace_id, server.span_id);
        let headers = BTreeMap::from([
            ("traceresponse".to_owned(), response.clone()),
            (
                "server-timing".to_owned(),
                format!("traceparent;desc=\"{response}\""),
            ),
        ]);
        let answer = Answer {
            status: 200,
            headers,
            body: Vec::new(),
            took: Duration::ZERO,
        };
        let trace_id = Some(server.trace_id.clone());
        let line = r#"{"timestamp":"now","level":"INFO","target":"service","message":"listening"}"#;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        Recording {
            parts: Parts {
                db: true,
                client: true,
            },
            transport: Transport::Grpc,
            steps: vec![StepRecord {
                step,
                trace_id,
                remote_parent: None,
                answer: Some(answer),
                call: None,
            }],
            received: Received {
                spans: vec![server, inner, database],
                ..Received::default()
            },
            spans_before_stop: 0,
            started_in: Duration::ZERO,
            ended: Ended {
                took: Duration::ZERO,
                code: Some(0),
                lines: vec![line.to_owned()],
                errors: Vec::new(),
            },
            service: address,
            upstream: address,
            secret: SECRET,
        }
    }

    fn breaches_after(change: impl FnOnce(&mut Recording)) -> String {
        let mut recording = recording();
        change(&mut recording);
        breaches(&recording).join("\n")
    }

    #[test]
    fn a_good_run_breaks_nothing() {
        assert_eq!(breaches_after(|_| {}), "");
    }

    #[test]
    fn lost_spans_are_seen() {
        let without_server = breaches_after(|run| drop(run.received.spans.remove(0)));
        assert!(
            without_server.contains("user-found: 0 server spans instead of 1"),
            "{without_server}"
        );
        let without_inner = breaches_after(|run| drop(run.received.spans.remove(1)));
        assert!(
            without_inner.contains("the parent of CLIENT SELECT users is not in the trace"),
            "{without_inner}"
        );
        let untraced = breaches_after(|run| run.steps[0].step.leaves = Leaves::Nothing);
        assert!(
            untraced.contains("3 spans, where none may be"),
            "{untraced}"
        );
    }

    #[test]
    fn the_answer_must_lead_to_the_trace() {
        let change = |header: &'static str, value: &'static str| {
            breaches_after(|run| {
                let answer = run.steps[0].answer.as_mut().unwrap();
                answer.headers.insert(header.to_owned(), value.to_owned());
            })
        };
        assert!(
            change("traceresponse", "00-other-span-01")
                .contains("traceresponse is `00-other-span-01`")
        );
        assert!(change("server-timing", "").contains("server-timing is ``"));
        let no_problem = breaches_after(|run| run.steps[0].answer.as_mut().unwrap().status = 404);
        assert!(
            no_problem.contains("a 404 without a problem that names the trace"),
            "{no_problem}"
        );
    }

    #[test]
    fn secrets_are_found_wherever_they_are() {
        let name = breaches_after(|run| run.received.spans[0].name.push_str(SECRET));
        assert!(name.contains("a secret is in name or status"), "{name}");
        let attribute = breaches_after(|run| {
            let span = run.received.spans.remove(0);
            run.received
                .spans
                .insert(0, span.with("url.query", format!("sig={SECRET}").as_str()));
        });
        assert!(
            attribute.contains("a secret is in url.query of span GET /users/{id}"),
            "{attribute}"
        );
        let console = breaches_after(|run| run.ended.errors.push(SECRET.to_owned()));
        assert!(console.contains("a secret is on the console"), "{console}");
    }

    #[test]
    fn the_console_speaks_json() {
        let plain = breaches_after(|run| run.ended.lines.push("listening".to_owned()));
        assert!(plain.contains("not a JSON log line: listening"), "{plain}");
    }
    #[test]
    fn an_exception_leaves_a_log_line_of_its_trace() {
        let silent = breaches_after(|run| run.steps[0].step.raises = true);
        assert!(
            silent.contains("user-found: no log line on the console names its trace"),
            "{silent}"
        );
        let told = breaches_after(|run| {
            run.steps[0].step.raises = true;
            let trace = run.steps[0].trace_id.clone().unwrap();
            run.ended.lines.push(format!(
                r#"{{"timestamp":"now","level":"ERROR","target":"t","message":"exception","trace_id":"{trace}"}}"#
            ));
        });
        assert_eq!(told, "");
    }
}

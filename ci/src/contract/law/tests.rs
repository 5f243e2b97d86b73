//! Seeded breaches: each must be found and named.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::receiver::Received;
use crate::scenario::{Parts, SECRET, Transport, steps};
use crate::service::Ended;
use crate::signals::{Link, samples};

/// The step `user-found` as it must go, its answer and its spans.
fn recording() -> Recording {
    let (server, inner, database) = samples::trace();
    let step = steps()
        .into_iter()
        .find(|step| step.name == "user-found")
        .unwrap();
    let response = format!("00-{}-{}-03", server.trace_id, server.span_id);
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
        parts: Parts::from(|_| true),
        transport: Transport::Grpc,
        steps: vec![StepRecord {
            step,
            trace_id,
            remote_parent: None,
            answer: Some(answer),
            calls: Vec::new(),
        }],
        received: Received {
            spans: [server, inner, database]
                .map(|span| span.with("session.id", SESSION))
                .to_vec(),
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
        change("traceresponse", "00-other-span-01").contains("traceresponse is `00-other-span-01`")
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

#[test]
fn the_session_is_on_every_span_or_on_none() {
    let lost = breaches_after(|run| {
        let inner = run.received.spans.remove(1);
        run.received.spans.insert(1, inner.without("session.id"));
    });
    assert!(
        lost.contains("the session is not on INTERNAL db.get_user"),
        "{lost}"
    );
    let hostile = breaches_after(|run| {
        run.steps[0]
            .step
            .request
            .headers
            .retain(|header| header.0 != "x-session-id")
    });
    assert!(
        hostile.contains("a session is on SERVER GET /users/{id}, although none was sent"),
        "{hostile}"
    );
}

/// The peer's server span, called by the client span of the trace.
fn of_the_peer(run: &Recording) -> Span {
    let (mut server, ..) = samples::trace();
    server.span_id = "00f067aa0ba902b7".to_owned();
    server.parent = Some(run.received.spans[2].span_id.clone());
    server.without("session.id")
}

#[test]
fn a_peer_is_called_by_a_client_span_and_gets_the_session_when_it_is_trusted() {
    let with_peer = |change: fn(&mut Recording, &mut Span)| {
        breaches_after(|run| {
            run.steps[0].step.servers = 2;
            let mut peer = of_the_peer(run);
            change(run, &mut peer);
            run.received.spans.push(peer);
        })
    };
    assert_eq!(with_peer(|_, _| {}), "");
    let unexpected = with_peer(|run, _| run.steps[0].step.servers = 1);
    assert!(
        unexpected.contains("2 server spans instead of 1"),
        "{unexpected}"
    );
    let below_inner =
        with_peer(|run, peer| peer.parent = Some(run.received.spans[1].span_id.clone()));
    assert!(
        below_inner.contains("not the caller's span"),
        "{below_inner}"
    );
    let told = with_peer(|_, peer| *peer = peer.clone().with("session.id", SESSION));
    assert!(told.contains("although none was sent"), "{told}");
    let not_told = with_peer(|run, _| run.transport = Transport::Http);
    assert!(not_told.contains("the session is not on"), "{not_told}");
}

#[test]
fn a_grpc_answer_has_no_headers_of_ours() {
    let said = breaches_after(|run| run.steps[0].step.request.method = crate::client::GRPC);
    assert!(said.contains("the answer has traceresponse"), "{said}");
}

/// A retry as it must go: a trace of its own that is linked to the request's.
fn retry(run: &Recording) -> Span {
    let mut retry = run.received.spans[2].clone();
    retry.links.push(Link {
        trace_id: retry.trace_id.clone(),
        span_id: retry.span_id.clone(),
        attributes: Attributes::new(),
    });
    retry.trace_id = "f".repeat(32);
    retry.span_id = "00000000000000b1".to_owned();
    retry.kind = Kind::Consumer;
    retry.parent = None;
    retry
}

#[test]
fn what_a_request_set_off_is_judged_too() {
    let after = |change: fn(&mut Span)| {
        breaches_after(|run| {
            let mut retry = retry(run);
            change(&mut retry);
            run.received.spans.push(retry);
        })
    };
    assert_eq!(after(|_| {}), "");
    let astray = after(|retry| retry.links[0].span_id = "00000000000000b2".to_owned());
    assert!(astray.contains("the link of CONSUMER"), "{astray}");
    let served = after(|retry| retry.kind = Kind::Server);
    assert!(
        served.contains("a server span in a linked trace"),
        "{served}"
    );
    let strange = after(|retry| _ = retry.attributes.remove("session.id"));
    assert!(
        strange.contains("the session is not on CONSUMER"),
        "{strange}"
    );
    let orphan = after(|retry| retry.parent = Some("00000000000000b3".to_owned()));
    assert!(orphan.contains("with 0 beginnings"), "{orphan}");
}

#[test]
fn a_consumer_is_part_of_its_senders_trace_or_linked_to_it() {
    let consumer = |links: Vec<Link>| {
        let mut recording = recording();
        let mut span = recording.received.spans[0].clone();
        span.trace_id = "5ce1".repeat(8);
        span.kind = Kind::Consumer;
        span.name = "process welcome".to_owned();
        span.links = links;
        recording.received.spans.push(span);
        breaches(&recording)
    };
    let expected = "CONSUMER process welcome begins a trace and is linked to nothing";
    assert!(consumer(Vec::new()).iter().any(|breach| breach == expected));
    let link = Link {
        trace_id: "a1".repeat(16),
        span_id: "a1".repeat(8),
        attributes: Attributes::new(),
    };
    assert!(consumer(vec![link]).iter().all(|breach| breach != expected));
}

#[test]
fn spans_that_do_not_come_at_the_end_were_not_flushed() {
    let mut recording = recording();
    recording.spans_before_stop = recording.received.spans.len();
    let found = breaches(&recording);
    assert!(
        found
            .iter()
            .any(|breach| breach.ends_with("nothing was flushed")),
        "{found:?}"
    );
    recording.transport = Transport::Http;
    assert!(breaches(&recording).is_empty());
}

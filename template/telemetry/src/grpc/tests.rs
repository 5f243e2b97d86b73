//! The middlewares around a service of our own making: no network.

mod rig;

use std::time::Duration;

use http::HeaderMap;
use opentelemetry::{KeyValue, baggage::BaggageExt as _, trace::TraceContextExt as _};

use super::name;
use crate::testing::{Trace, attribute};
use rig::{Act, METHOD, answer, client, frames, passed_on, serve, serve_within};

const SERVER: &str = "SERVER a.v1.Service/Do";

#[tokio::test]
async fn the_outcome_is_in_the_trailers_and_the_span_lasts_until_then() {
    let trace = Trace::new();
    let response = serve(&trace, METHOD, Act::Stream { status: 13 }).await;
    assert!(trace.spans().is_empty(), "the span ended before the body");

    frames(response).await;

    assert_eq!(trace.tree().await, format!("{SERVER} ERROR INTERNAL\n"));
    let code = attribute(&trace.spans()[0], "rpc.response.status_code");
    assert_eq!(code.as_deref(), Some("INTERNAL"));
}

#[tokio::test]
async fn the_outcome_of_a_response_without_messages_is_in_its_head() {
    let trace = Trace::new();
    drop(serve(&trace, METHOD, Act::OnlyHead { status: 5 }).await);
    assert_eq!(trace.tree().await, format!("{SERVER}\n")); // the caller asked for what is not there
    let code = attribute(&trace.spans()[0], "rpc.response.status_code");
    assert_eq!(code.as_deref(), Some("NOT_FOUND"));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_any_more_is_cancelled() {
    let trace = Trace::new();
    drop(serve(&trace, METHOD, Act::Stream { status: 0 }).await);
    assert_eq!(trace.tree().await, format!("{SERVER}\n"));
    let code = attribute(&trace.spans()[0], "rpc.response.status_code");
    assert_eq!(code.as_deref(), Some("CANCELLED"));
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled() {
    let trace = Trace::new();
    let call = serve(&trace, METHOD, Act::Hang);
    let given_up = tokio::time::timeout(Duration::from_millis(20), call).await;
    assert!(given_up.is_err());
    assert_eq!(trace.tree().await, format!("{SERVER}\n"));
}

#[tokio::test]
async fn the_caller_s_deadline_and_the_server_s_limit_end_the_work() {
    for timeout in [Some("20m"), None] {
        let trace = Trace::new();
        let response = serve_within(&trace, METHOD, Act::Hang, timeout).await;
        assert_eq!(response.headers()["grpc-status"], "4");
        let expected = format!("{SERVER} ERROR DEADLINE_EXCEEDED\n");
        assert_eq!(trace.tree().await, expected, "{timeout:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_a_stream_too() {
    let trace = Trace::new();
    let response = serve_within(&trace, METHOD, Act::EndlessStream, Some("50m")).await;
    let trailers = frames(response).await;
    assert_eq!(trailers["grpc-status"], "4");
    let expected = format!("{SERVER} ERROR DEADLINE_EXCEEDED\n");
    assert_eq!(trace.tree().await, expected);
}

#[tokio::test]
async fn health_checks_and_reflection_leave_nothing() {
    let trace = Trace::new();
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        frames(serve(&trace, path, Act::Stream { status: 0 }).await).await;
    }
    frames(serve(&trace, "/made/up", Act::Stream { status: 0 }).await).await;
    assert_eq!(trace.tree().await, "SERVER grpc\n");
    let original = attribute(&trace.spans()[0], "rpc.method_original");
    assert_eq!(original.as_deref(), Some("made/up"));
}

#[tokio::test]
async fn every_code_but_ok_is_an_error_of_a_client() {
    for (status, expected) in [(0, "CLIENT a.v1.Service/Do\n"), (5, " ERROR NOT_FOUND\n")] {
        let trace = Trace::new();
        let (response, _) = client(&trace, Act::Stream { status }, "http://[::1]:50051").await;
        frames(response.expect("an answer")).await;
        let tree = trace.tree().await;
        assert!(tree.ends_with(expected), "{tree}");
        let span = &trace.spans()[0];
        for (key, value) in [
            ("server.address", "::1"),
            ("server.port", "50051"),
            ("network.peer.address", "::1"),
        ] {
            assert_eq!(attribute(span, key).as_deref(), Some(value), "{key}");
        }
    }
}

#[tokio::test]
async fn a_callee_that_is_away_is_unavailable() {
    let trace = Trace::new();
    let (response, _) = client(&trace, Act::Refuse, "http://peer.internal").await;
    let status = response.err().expect("nobody answers");
    assert_eq!(name(status.code()), "UNAVAILABLE");
    let tree = trace.tree().await;
    assert!(tree.ends_with(" ERROR UNAVAILABLE\n"), "{tree}");
    let span = &trace.spans()[0];
    assert_eq!(attribute(span, "server.port").as_deref(), Some("80"));
    assert_eq!(attribute(span, "network.peer.address"), None);
}

#[tokio::test]
async fn what_speaks_no_grpc_is_judged_by_its_http_status() {
    let trace = Trace::new();
    let (response, _) = client(&trace, Act::Http { status: 502 }, "http://[::1]:1").await;
    frames(response.expect("an answer")).await;
    let tree = trace.tree().await;
    assert!(tree.ends_with(" ERROR UNAVAILABLE\n"), "{tree}");
}

#[tokio::test]
async fn a_callee_that_is_silent_is_given_up() {
    let trace = Trace::new();
    let (response, sent) = client(&trace, Act::Hang, "http://[::1]:1").await;
    assert_eq!(response.expect("an answer").headers()["grpc-status"], "4");
    // The client's own timeout, for the test is served by nobody.
    assert_eq!(sent["grpc-timeout"], "50000000n");
    let tree = trace.tree().await;
    assert!(tree.ends_with(" ERROR DEADLINE_EXCEEDED\n"), "{tree}");
}

#[tokio::test]
async fn calls_made_meanwhile_inherit_the_deadline_and_the_trace_but_no_baggage() {
    let trace = Trace::new();
    let response = serve_within(&trace, METHOD, Act::CallOn, Some("30m")).await;
    let sent: HeaderMap = answer(response);
    let left: u64 = sent["grpc-timeout"]
        .to_str()
        .ok()
        .and_then(|text| text.strip_suffix('n')?.parse().ok())
        .expect("nanoseconds");
    assert!(left <= 30_000_000, "{left}");
    trace.tree().await;
    let client = trace.span("a.v1.Service/Next").await;
    let expected = format!("00-{}-{}-01", trace.id(), client.span_context.span_id());
    assert_eq!(sent["traceparent"], expected.as_str());
    assert!(!sent.contains_key("baggage"));
}

#[tokio::test]
async fn all_headers_of_a_name_count() {
    let trace = Trace::new();
    let parent = &*trace.traceparent();
    let states = [("tracestate", "b=1,a=2"), ("tracestate", "c=3")];

    let sent = passed_on(&[&[("traceparent", parent)], &states[..]].concat()).await;
    assert!(
        sent["traceparent"]
            .to_str()
            .is_ok_and(|sent| sent.contains(&trace.id()))
    );
    assert_eq!(sent["tracestate"], "b=1,a=2,c=3");
    assert_eq!(sent.get_all("traceparent").iter().count(), 1);

    let twice = [("traceparent", parent), ("traceparent", parent)];
    let sent = passed_on(&[&twice, &states[..]].concat()).await;
    assert!(
        sent["traceparent"]
            .to_str()
            .is_ok_and(|sent| !sent.contains(&trace.id()))
    );
    assert!(!sent.contains_key("tracestate"));
}

#[test]
fn baggage_leaves_to_trusted_hosts_only() {
    let context = Trace::new()
        .context()
        .with_baggage([KeyValue::new("session.id", "s-1")]);
    assert!(context.has_active_span() || context.span().span_context().is_valid());
    for trusted in [true, false] {
        let mut headers = HeaderMap::new();
        crate::trusted_hosts::inject(&context, &mut headers, trusted);
        assert!(headers.contains_key("traceparent"));
        assert_eq!(headers.contains_key("baggage"), trusted);
    }
}

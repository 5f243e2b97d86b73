use std::collections::HashMap;

use opentelemetry::{SpanId, global};

use super::*;
use crate::{
    propagation::InboundContext,
    testing::{self, Trace},
};

#[tokio::test]
async fn a_public_edge_begins_a_trace_that_is_linked_to_the_caller_s() {
    let trace = Trace::new();
    let headers = HashMap::from(
        [
            ("traceparent", &*trace.traceparent()),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=t-1"),
            ("x-session-id", "s-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let request = Request {
        method: "GET",
        scheme: "http",
        path: "/",
        query: None,
        route: None,
        protocol_version: "1.1",
        authority: None,
        peer: None,
        headers: &headers,
    };
    let caller = Caller::by(InboundContext::Link, &headers);
    let mut span = ServerSpan::begin(&request, caller);
    let mut sent = HashMap::new();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(span.context(), &mut sent);
    });
    span.respond(200, None);
    drop(span);

    let span = trace.linked().await;
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_eq!(span.links.len(), 1);
    let (context, session) = (&span.span_context, testing::attribute(&span, "session.id"));
    assert_ne!(context.trace_id().to_string(), trace.id());
    assert_eq!(session.as_deref(), Some("s-1"));
    let expected = format!("00-{}-{}-03", context.trace_id(), context.span_id());
    assert_eq!(sent["traceparent"], expected);
    assert_eq!(sent["baggage"], "session.id=s-1");
    assert_eq!(sent.len(), 2, "{sent:?}");
}

/// Whether another service is in the trace is not for this one to say.
#[test]
fn with_telemetry_off_the_caller_s_context_passes_through() {
    let trace = Trace::new();
    let received = HashMap::from(
        [
            ("traceparent", &*trace.traceparent()),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=t-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let mut span = ServerSpan::unseen(Caller::by(InboundContext::Continue, &received));
    let mut sent = HashMap::new();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(span.context(), &mut sent);
    });
    assert_eq!(sent, received);
    assert_eq!(span.response_headers().count(), 0);
    span.respond(500, None);
    drop(span);
    assert!(trace.spans().is_empty());
}

fn kind(method: &str, route: Option<&str>) -> Arc<Kind> {
    Kind::of(&Request {
        method,
        scheme: "http",
        path: "/users/7",
        query: None,
        route,
        protocol_version: "1.1",
        authority: None,
        peer: None,
        headers: &HashMap::new(),
    })
}

#[test]
fn names_never_hold_a_path() {
    for (method, route, name) in [
        ("GET", Some("/users/{id}"), "GET /users/{id}"),
        ("GET", None, "GET"),
        ("MADE-UP", Some("/users/{id}"), "HTTP /users/{id}"),
        ("MADE-UP", None, "HTTP"),
    ] {
        assert_eq!(kind(method, route).span_name, name);
    }
}

#[test]
fn what_requests_have_in_common_is_found_out_once() {
    let first = kind("GET", Some("/users/{id}"));
    assert!(Arc::ptr_eq(&first, &kind("GET", Some("/users/{id}"))));
    for other in [
        kind("PUT", Some("/users/{id}")),
        kind("GET", Some("/users")),
        kind("GET", None),
    ] {
        assert!(!Arc::ptr_eq(&first, &other));
    }
    assert!(Arc::ptr_eq(
        &kind("MADE-UP", None),
        &kind("MADE-UP-TOO", None)
    ));
}

#[test]
fn the_authority_is_taken_apart() {
    for (authority, scheme, expected) in [
        ("example.com:8080", "http", Some(("example.com", 8080))),
        ("example.com", "http", Some(("example.com", 80))),
        ("example.com", "https", Some(("example.com", 443))),
        ("[::1]:9000", "http", Some(("::1", 9000))),
        ("[::1]", "http", Some(("::1", 80))),
        ("example.com:port", "http", None),
        (":80", "http", None),
        (
            "ada:secret@example.com:81",
            "http",
            Some(("example.com", 81)),
        ),
    ] {
        assert_eq!(host_and_port(authority, scheme), expected, "{authority}");
    }
}

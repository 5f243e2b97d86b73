use std::{collections::HashMap, time::Duration};

use http::HeaderValue;
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    baggage::BaggageExt as _,
    global,
    trace::{
        FutureExt as _, SpanContext, TraceContextExt as _, TraceState, Tracer as _,
        TracerProvider as _,
    },
};

use super::{
    super::Instrumentation,
    client::Client,
    rig::{Rig, get, instrumentation, server},
};
use crate::SessionId;

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

/// The head of a request that was sent within a trace with baggage, and the rig that sent it.
async fn sent(trusted: &str) -> (String, Rig) {
    let (rig, (address, mut heads)) = (Rig::trusting(trusted), server(&[NO_CONTENT]).await);
    let context = Context::new()
        .with_span(rig.tracers.tracer("test").start("parent"))
        .with_value(SessionId::parse("s-1").expect("an id"))
        .with_baggage([KeyValue::new("tenant", "t-1")]);
    let mut request = get(&format!("http://{address}/"));
    // What a caller may have copied from somewhere.
    for (name, value) in [
        (
            "traceparent",
            "00-11111111111111111111111111111111-1111111111111111-01",
        ),
        (
            "traceparent",
            "00-22222222222222222222222222222222-2222222222222222-01",
        ),
        ("tracestate", "own=1"),
        ("baggage", "own=1"),
        ("baggage", "own=2"),
    ] {
        let value = HeaderValue::from_static(value);
        request.headers_mut().append(name, value);
    }
    let answer = rig.client.send(request).with_context(context).await;
    answer.expect("answered");
    (heads.recv().await.expect("a request"), rig)
}

/// The headers of this name.
fn lines<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let is_named = |line: &&str| line.split(':').next() == Some(name);
    head.split("\r\n").filter(is_named).collect()
}

#[tokio::test]
async fn the_trace_always_leaves_and_all_else_to_nobody() {
    let (head, rig) = sent("localhost,.0.0.1.example").await;
    let span = &rig.spans()[0];
    let expected = format!(
        "traceparent: 00-{}-{}-03",
        span.span_context.trace_id(),
        span.span_context.span_id()
    );
    assert!(head.contains(&expected), "{head}");
    assert!(!head.contains("baggage") && !head.contains("s-1"), "{head}");
}

#[tokio::test]
async fn session_and_baggage_leave_to_trusted_hosts() {
    let (head, _rig) = sent("localhost, 127.0.0.1").await;
    assert_eq!(lines(&head, "baggage"), ["baggage: tenant=t-1"]);
    assert_eq!(lines(&head, "x-session-id"), ["x-session-id: s-1"]);
}

#[tokio::test]
async fn what_was_there_before_is_replaced() {
    let (head, rig) = sent("127.0.0.1").await;
    let trace = rig.spans()[0].span_context.trace_id().to_string();
    let parents = lines(&head, "traceparent");
    assert_eq!(parents.len(), 1, "{head}");
    assert!(parents[0].contains(&trace), "{head}");
    assert_eq!(lines(&head, "tracestate"), [""; 0]);
    assert!(!head.contains("own="), "{head}");
}

const CALLER: &str = "00-11111111111111111111111111111111-1111111111111111-03";

/// What a caller's headers make of the context.
fn received() -> Context {
    let headers = [
        ("traceparent", CALLER),
        ("tracestate", "b@@=1,a=2"),
        ("baggage", "tenant=t-1"),
    ];
    let headers = HashMap::from(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    global::get_text_map_propagator(|propagator| propagator.extract(&headers))
}

#[tokio::test]
async fn the_caller_s_state_is_sent_on() {
    let (rig, (address, mut heads)) = (Rig::new(), server(&[NO_CONTENT]).await);
    let sending = rig.client.send(get(&format!("http://{address}/")));
    sending.with_context(received()).await.expect("answered");

    let head = heads.recv().await.expect("a request");
    let span = rig.span().span_context;
    assert_eq!(span.trace_id().to_string(), "1".repeat(32));
    let parent = format!("traceparent: 00-{}-{}-03", span.trace_id(), span.span_id());
    assert_eq!(lines(&head, "traceparent"), [parent]);
    assert_eq!(lines(&head, "tracestate"), ["tracestate: b@@=1,a=2"]);
}

#[tokio::test]
async fn without_a_trace_nothing_is_made_up() {
    let (rig, (address, mut heads)) = (Rig::new(), server(&[NO_CONTENT]).await);
    rig.tracers.shutdown().expect("shut down");
    let answer = rig.get(&format!("http://{address}/")).await;
    answer.expect("the request goes out all the same");
    assert!(!heads.recv().await.expect("a request").contains("baggage"));
    assert!(rig.spans().is_empty());
}

#[tokio::test]
async fn when_telemetry_is_off_the_caller_s_context_passes_through() {
    let (mut rig, (address, mut heads)) = (Rig::new(), server(&[NO_CONTENT]).await);
    let off = Instrumentation {
        enabled: false,
        ..instrumentation(&rig.tracers, &rig.meters, "127.0.0.1")
    };
    rig.client = Client::new(off, Duration::from_secs(5));
    let sending = rig.client.send(get(&format!("http://{address}/")));
    sending.with_context(received()).await.expect("answered");

    let head = heads.recv().await.expect("a request");
    let parent = format!("traceparent: {CALLER}");
    assert_eq!(lines(&head, "traceparent"), [parent]);
    assert_eq!(lines(&head, "tracestate"), ["tracestate: b@@=1,a=2"]);
    assert_eq!(lines(&head, "baggage"), ["baggage: tenant=t-1"]);
    assert!(rig.spans().is_empty());
    assert_eq!(rig.durations(), []);
}

#[tokio::test]
async fn below_a_span_that_is_not_recorded_only_the_duration_is() {
    let (rig, (address, mut heads)) = (Rig::new(), server(&[NO_CONTENT]).await);
    let (trace, span) = (TraceId::from(1), SpanId::from(2));
    let caller = SpanContext::new(trace, span, TraceFlags::default(), false, TraceState::NONE);
    let context = Context::new().with_remote_span_context(caller);
    let sending = rig.client.send(get(&format!("http://{address}/")));
    sending.with_context(context).await.expect("answered");

    let head = heads.recv().await.expect("a request");
    let parent = format!("traceparent: 00-{trace}-{span}-02");
    assert_eq!(lines(&head, "traceparent"), [parent]);
    assert!(rig.spans().is_empty());
    assert_eq!(rig.durations().len(), 1);
}

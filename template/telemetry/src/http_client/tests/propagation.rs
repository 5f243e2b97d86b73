use http::HeaderValue;
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt as _,
    trace::{FutureExt as _, TraceContextExt as _, Tracer as _, TracerProvider as _},
};

use super::rig::{Rig, get, server};
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
    let own = HeaderValue::from_static("own=1");
    request.headers_mut().insert("baggage", own);
    let answer = rig.client.send(request).with_context(context).await;
    answer.expect("answered");
    (heads.recv().await.expect("a request"), rig)
}

#[tokio::test]
async fn the_trace_always_leaves_and_all_else_to_nobody() {
    let (head, rig) = sent("localhost,.0.0.1.example").await;
    let span = &rig.spans()[0];
    let expected = format!(
        "traceparent: 00-{}-{}-01",
        span.span_context.trace_id(),
        span.span_context.span_id()
    );
    assert!(head.contains(&expected), "{head}");
    assert!(!head.contains("baggage") && !head.contains("s-1"), "{head}");
}

#[tokio::test]
async fn session_and_baggage_leave_to_trusted_hosts() {
    let (head, _rig) = sent("localhost, 127.0.0.1").await;
    assert!(head.contains("baggage: tenant=t-1"), "{head}");
    assert!(head.contains("x-session-id: s-1"), "{head}");
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

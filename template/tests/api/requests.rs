//! What holds for every request: identity, errors, limits.

use reqwest::{Method, header::HeaderValue};
use telemetry::testing::{Trace, attribute};

use crate::app::{App, Reply};

#[tokio::test]
async fn the_caller_s_trace_is_continued_and_named_in_the_response() {
    let (app, trace) = (App::start().await, Trace::new());

    let reply = app.get(&trace, "/products").await;

    let server = trace.span("GET /products").await;
    let expected = format!("00-{}-{}-01", trace.id(), server.span_context.span_id());
    assert_eq!(reply.header("traceresponse"), expected);
    assert_eq!(
        reply.header("server-timing"),
        format!("traceparent;desc=\"{expected}\"")
    );
    assert!(server.parent_span_is_remote);
}

#[tokio::test]
async fn the_session_is_on_every_span_of_the_request() {
    let (app, trace) = (App::start().await, Trace::new());

    Reply::to(
        app.request(&trace, Method::GET, "/products")
            .header("x-session-id", "s-42"),
    )
    .await;

    trace.tree().await; // all of them have ended
    for span in trace.spans() {
        assert_eq!(
            attribute(&span, "session.id").as_deref(),
            Some("s-42"),
            "{}",
            span.name
        );
    }
}

#[tokio::test]
async fn hostile_headers_are_ignored() {
    let (app, trace) = (App::start().await, Trace::new());
    let request = app
        .request(&trace, Method::GET, "/products")
        .header("x-session-id", "a".repeat(10_000))
        .header("baggage", "k=v,".repeat(2_000));

    assert_eq!(Reply::to(request).await.status, 200);

    let server = trace.span("GET /products").await;
    assert_eq!(attribute(&server, "session.id"), None);
}

#[tokio::test]
async fn a_malformed_traceparent_begins_a_new_trace() {
    let app = App::start().await;
    let url = format!("http://{}/products", app.address);
    let reply = Reply::to(
        reqwest::Client::new()
            .get(url)
            .header("traceparent", "00-xyz-1-zz"),
    )
    .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("traceresponse").len(), 55);
}

#[tokio::test]
async fn two_traceparent_headers_begin_a_new_trace() {
    let (app, [one, other]) = (App::start().await, [Trace::new(), Trace::new()]);
    let request = app
        .request(&one, Method::GET, "/products")
        .header("traceparent", other.traceparent());

    let reply = Reply::to(request).await;

    let traceresponse = reply.header("traceresponse");
    assert_eq!(traceresponse.len(), 55);
    for trace in [one, other] {
        assert!(!traceresponse.contains(&trace.id()), "{traceresponse}");
    }
}

#[tokio::test]
async fn tracestate_headers_are_one_list() {
    let (app, trace) = (App::start().await, Trace::new());
    let request = app
        .request(&trace, Method::GET, "/products")
        .header("tracestate", "b=1,a=2")
        .header("tracestate", "")
        .header("TraceState", " c=3 ,");

    Reply::to(request).await;

    let server = trace.span("GET /products").await;
    let state = server.span_context.trace_state();
    assert_eq!(state.header(), "b=1,a=2,c=3");
}

#[tokio::test]
async fn a_broken_tracestate_does_not_take_the_trace_along() {
    let app = App::start().await;
    for broken in ["B=1", "b", "b=", "b=\u{e9}"] {
        let (trace, value) = (Trace::new(), HeaderValue::from_bytes(broken.as_bytes()));
        let request = app
            .request(&trace, Method::GET, "/products")
            .header("tracestate", "a=1")
            .header("tracestate", value.expect("a value of HTTP"));

        Reply::to(request).await;

        let server = trace.span("GET /products").await;
        let state = server.span_context.trace_state();
        assert_eq!(state.header(), "", "{broken}");
    }
}

#[tokio::test]
async fn an_unknown_route_has_no_route_and_no_path_in_its_name() {
    let (app, trace) = (App::start().await, Trace::new());

    let reply = app.get(&trace, "/no/such/page?token=secret").await;

    assert_eq!(reply.problem(404, &trace), "no such page");
    let server = trace.span("GET").await;
    assert_eq!(attribute(&server, "http.route"), None);
    assert_eq!(
        attribute(&server, "url.query").as_deref(),
        Some("token=REDACTED")
    );
    assert_eq!(trace.tree().await, "SERVER GET\n"); // 4xx is no error of the server
}

#[tokio::test]
async fn a_method_that_is_not_offered_is_refused() {
    let (app, trace) = (App::start().await, Trace::new());
    let reply = Reply::to(app.request(&trace, Method::DELETE, "/products")).await;
    reply.problem(405, &trace);
    trace.span("DELETE /products").await;
}

#[tokio::test]
async fn an_unknown_method_cannot_make_up_a_name() {
    let (app, trace) = (App::start().await, Trace::new());
    let frob = Method::from_bytes(b"FROB").expect("a method by its syntax");

    Reply::to(app.request(&trace, frob, "/products"))
        .await
        .problem(405, &trace);

    let server = trace.span("HTTP /products").await;
    assert_eq!(
        attribute(&server, "http.request.method").as_deref(),
        Some("_OTHER")
    );
    // Absent where the framework forgets it.
    if let Some(original) = attribute(&server, "http.request.method_original") {
        assert_eq!(original, "FROB");
    }
}

//! What holds for every request: identity, errors, limits.

use reqwest::Method;
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

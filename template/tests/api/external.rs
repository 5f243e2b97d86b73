use std::time::Duration;

use reqwest::Method;
use telemetry::testing::{Trace, attribute};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::app::{App, Reply};

async fn upstream(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn app_with(upstream: &str) -> App {
    App::start_with(&["--upstream-url", upstream]).await
}

async fn call(app: &App, trace: &Trace) -> Reply {
    Reply::to(app.request(trace, Method::POST, "/external")).await
}

#[tokio::test]
async fn the_upstream_is_called_inside_the_trace() {
    let upstream = upstream(ResponseTemplate::new(200).set_body_string("hello")).await;
    let (app, trace) = (app_with(&upstream.uri()).await, Trace::new());

    let reply = call(&app, &trace).await;

    assert_eq!((reply.status, &reply.body["bytes"]), (200, &5.into()));
    assert_eq!(
        trace.tree().await,
        "SERVER POST /external\n  INTERNAL external_api.call\n    CLIENT GET\n"
    );
    let client = trace.span("GET").await;
    let requests = upstream
        .received_requests()
        .await
        .expect("the upstream keeps requests");
    let expected = format!("00-{}-{}-01", trace.id(), client.span_context.span_id());
    assert_eq!(requests[0].headers["traceparent"], expected.as_str());
    assert!(!requests[0].headers.contains_key("baggage")); // no host is trusted by default
}

#[tokio::test]
async fn a_client_cannot_choose_who_is_called() {
    let chosen = upstream(ResponseTemplate::new(200)).await;
    let (configured, trace) = (upstream(ResponseTemplate::new(200)).await, Trace::new());
    let app = app_with(&configured.uri()).await;
    let (url, host) = (chosen.uri(), chosen.address().to_string());
    let path = format!("/external?url={url}&upstream={url}");
    let request = app.request(&trace, Method::POST, &path);
    let request = request.header("host", &host).header("forwarded", &host);
    let request = request.header("x-forwarded-host", &host);

    let reply = Reply::to(request.json(&serde_json::json!({ "url": url }))).await;

    assert_eq!(reply.status, 200);
    let calls = async |server: &MockServer| server.received_requests().await.map(|all| all.len());
    assert_eq!(calls(&configured).await, Some(1));
    assert_eq!(calls(&chosen).await, Some(0));
}

#[tokio::test]
async fn an_upstream_that_fails_is_recorded_once() {
    let upstream = upstream(ResponseTemplate::new(404)).await;
    let (app, trace) = (app_with(&upstream.uri()).await, Trace::new());

    assert_eq!(
        call(&app, &trace).await.problem(502, &trace),
        "the upstream failed"
    );

    trace.span("POST /external").await;
    let inner = trace.span("external_api.call").await;
    assert_eq!(inner.events.len(), 1);
    assert_eq!(
        attribute(&trace.span("GET").await, "error.type").as_deref(),
        Some("404")
    );
    let server = trace.span("POST /external").await;
    assert_eq!(
        attribute(&server, "error.type").as_deref(),
        Some("upstream_status")
    );
    assert_eq!(server.events.len(), 0);
}

#[tokio::test]
async fn an_upstream_that_recovers_is_asked_again() {
    let upstream = upstream(ResponseTemplate::new(200)).await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "0");
    let first = Mock::given(any()).respond_with(busy).up_to_n_times(1);
    first.with_priority(1).mount(&upstream).await;
    let (app, trace) = (app_with(&upstream.uri()).await, Trace::new());

    assert_eq!(call(&app, &trace).await.status, 200);

    assert_eq!(
        trace.tree().await,
        "SERVER POST /external\n  INTERNAL external_api.call\n    CLIENT GET ERROR 503\n    CLIENT GET\n"
    );
}

#[tokio::test]
async fn an_upstream_that_asks_for_too_much_patience_is_not_asked_again() {
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "60");
    let upstream = upstream(busy).await;
    let (app, trace) = (app_with(&upstream.uri()).await, Trace::new());
    call(&app, &trace).await.problem(502, &trace);
    let requests = upstream.received_requests().await.unwrap_or_default();
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed_and_large_answers_not_read() {
    let redirect = ResponseTemplate::new(302).insert_header("location", "/elsewhere");
    let redirecting = upstream(redirect).await;
    let (app, trace) = (app_with(&redirecting.uri()).await, Trace::new());
    assert_eq!(call(&app, &trace).await.body["status"], 302);

    let large = ResponseTemplate::new(200).set_body_bytes(vec![0; 1024 * 1024 + 1]);
    let large = upstream(large).await;
    let (app, trace) = (app_with(&large.uri()).await, Trace::new());
    assert_eq!(
        call(&app, &trace).await.problem(502, &trace),
        "the upstream's answer is too large"
    );
}

#[tokio::test]
async fn credentials_in_the_url_are_sent_and_not_shown() {
    let upstream = upstream(ResponseTemplate::new(200)).await;
    let url = upstream.uri().replace("://", "://ada:love%20lace@") + "/?token=lace";
    let (app, trace) = (app_with(&url).await, Trace::new());

    assert_eq!(call(&app, &trace).await.status, 200);

    let requests = upstream.received_requests().await.unwrap_or_default();
    assert_eq!(
        requests[0].headers["authorization"],
        "Basic YWRhOmxvdmUgbGFjZQ=="
    );
    assert_eq!(requests[0].url.query(), Some("token=lace"));
    assert!(!format!("{:?}", trace.span("GET").await).contains("lace"));
}

#[tokio::test]
async fn an_upstream_that_is_too_slow_is_given_up() {
    let upstream = upstream(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let arguments = [
        "--upstream-url",
        &upstream.uri(),
        "--upstream-timeout=500ms",
    ];
    let (app, trace) = (App::start_with(&arguments).await, Trace::new());
    call(&app, &trace).await.problem(504, &trace);
    assert_eq!(
        attribute(&trace.span("GET").await, "error.type").as_deref(),
        Some("timeout")
    );
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_said_so() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("a bound port");
    drop(nobody);
    let (app, trace) = (app_with(&format!("http://{address}/")).await, Trace::new());
    assert_eq!(
        call(&app, &trace).await.problem(502, &trace),
        "the upstream cannot be reached"
    );
}

#[tokio::test]
async fn without_an_upstream_the_answer_says_so() {
    let (app, trace) = (App::start().await, Trace::new());
    assert_eq!(
        call(&app, &trace).await.problem(503, &trace),
        "no upstream is configured"
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_one_span_that_is_marked() {
    let upstream = upstream(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    // Not every framework drops a handler whose client has gone: there it is the upstream's timeout that ends it.
    let app = App::start_with(&["--upstream-url", &upstream.uri(), "--upstream-timeout=2s"]).await;
    let trace = Trace::new();

    let request = app.request(&trace, Method::POST, "/external").send();
    let gone = tokio::time::timeout(Duration::from_millis(300), request).await;

    assert!(gone.is_err(), "the upstream should not have answered");
    let server = trace.span("POST /external").await;
    assert_eq!(
        attribute(&server, "error.type").as_deref(),
        Some("cancelled")
    );
    assert_eq!(attribute(&server, "http.response.status_code"), None);
    assert_eq!(
        trace
            .spans()
            .iter()
            .filter(|span| span.name == "POST /external")
            .count(),
        1
    );
}

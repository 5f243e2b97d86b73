//! More requests than can be served, and requests that would take more than their share.

use std::time::Duration;

use reqwest::Method;
use telemetry::testing::Trace;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::app::{App, Reply};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// A body in two parts. Rocket runs nothing of ours before it has read 14 bytes.
const BODY: [&str; 2] = [
    r#"{"name":"Mary Somerville","#,
    r#""email":"mary@example.com"}"#,
];

/// Everything that the service answers to `sent`, until it hangs up.
async fn raw(app: &App, sent: &[u8]) -> String {
    let mut stream = connect(app).await;
    // The service may have read enough before the end.
    let _ = stream.write_all(sent).await;
    rest(stream).await
}

async fn connect(app: &App) -> TcpStream {
    let stream = TcpStream::connect(app.address).await;
    stream.expect("a connection")
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut answer)).await;
    // A reset is an end, too.
    let _ = ended.expect("the service hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request that is being served until the rest of its body is sent.
async fn hold(app: &App) -> TcpStream {
    let mut stream = connect(app).await;
    let head = format!(
        "POST /users HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
        BODY.concat().len(),
        BODY[0]
    );
    let sent = stream.write_all(head.as_bytes()).await;
    sent.expect("the service reads");
    stream
}

#[tokio::test]
async fn a_request_too_many_is_refused_at_once_and_health_is_not() {
    let app = App::start_with(&["--max-concurrent-requests=1"]).await;
    let mut held = hold(&app).await;

    let refused = async {
        loop {
            let trace = Trace::new();
            let reply = app.get(&trace, "/products").await;
            if reply.status != 200 {
                return (reply, trace);
            }
            // It may have come while another one was being served.
            if held.try_read(&mut [0; 1]).is_ok() {
                held = hold(&app).await;
            }
        }
    };
    let refused = timeout(SOON, refused).await;
    let (reply, trace) = refused.expect("the first request is being served soon");

    assert_eq!(
        reply.problem(503, &trace),
        "too many requests are being served"
    );
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(
        trace.tree().await,
        "SERVER GET /products ERROR overloaded\n"
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.get(&Trace::new(), path).await.status, 200, "{path}");
    }

    let sent = held.write_all(BODY[1].as_bytes()).await;
    sent.expect("the service reads");
    let answer = rest(held).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(app.get(&Trace::new(), "/products").await.status, 200);
}

/// <https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)>, with the body.
#[tokio::test]
async fn a_body_that_does_not_end_holds_no_request() {
    let app = App::start_with(&["--request-timeout=300ms"]).await;
    let answer = rest(hold(&app).await).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let app = App::start().await;
    let long = "x".repeat(1024 * 1024);
    for (what, more) in [
        ("one header", format!("x-long: {long}\r\n")),
        ("many headers", "x-more: 1\r\n".repeat(1000)),
    ] {
        let head = format!("GET /products HTTP/1.1\r\nhost: test\r\n{more}\r\n");
        let answer = raw(&app, head.as_bytes()).await;
        // One that did not read to the end may reset the connection before its answer is read.
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 431 ");
        assert!(is_refused, "{what}: {answer}");
    }
    let head = format!("GET /{long} HTTP/1.1\r\nhost: test\r\n\r\n");
    let answer = raw(&app, head.as_bytes()).await;
    let is_refused = answer.is_empty()
        || answer.starts_with("HTTP/1.1 414 ")
        || answer.starts_with("HTTP/1.1 431 ");
    assert!(is_refused, "{answer}");
    assert_eq!(app.get(&Trace::new(), "/products").await.status, 200);
}

/// A reader that calls itself for each level would overflow the stack.
#[tokio::test]
async fn json_that_is_too_deep_is_refused() {
    let (app, trace) = (App::start().await, Trace::new());
    let lists = "[".repeat(10_000);
    for deep in [
        lists.clone(),
        r#"{"x":"#.repeat(5_000),
        format!(r#"{{"name":{lists}"#),
    ] {
        let post = app.request(&trace, Method::POST, "/users");
        let post = post.header("content-type", "application/json").body(deep);
        let reply = Reply::to(post).await;
        assert!([400, 422].contains(&reply.status), "{reply:?}");
        reply.problem(reply.status, &trace);
    }
}

/// <https://www.cve.org/CVERecord?id=CVE-2023-44487>
#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let app = App::start().await;
    // GET / with the static table of <https://www.rfc-editor.org/rfc/rfc7541#appendix-A>, and a name for the host.
    let headers = b"\x82\x86\x84\x41\x04test";
    let cancel = [0, 0, 0, 8];
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut sent, 4, 0, 0, &[]); // SETTINGS
    for stream in (1..20_000).step_by(2) {
        frame(&mut sent, 1, 5, stream, headers); // HEADERS, which end the stream
        frame(&mut sent, 3, 0, stream, &cancel); // RST_STREAM
    }

    raw(&app, &sent).await; // panics unless the service hangs up

    assert_eq!(app.get(&Trace::new(), "/products").await.status, 200);
}

/// <https://www.rfc-editor.org/rfc/rfc9113#section-4.1>
fn frame(sent: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a small frame");
    sent.extend(&length.to_be_bytes()[1..]);
    sent.extend([kind, flags]);
    sent.extend(stream.to_be_bytes());
    sent.extend(payload);
}

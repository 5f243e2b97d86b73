//! Upstreams that answer with less than a response, or with more. What they do on time is in `external.rs`.

use std::time::Duration;

use reqwest::Method;
use telemetry::testing::{Trace, attribute};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::app::{App, Reply};

/// An upstream that reads the first bytes of a request, sends these, and does then as `end` does.
async fn upstream<E>(sent: &'static [u8], end: fn(TcpStream) -> E) -> String
where
    E: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(sent).await;
                end(stream).await;
            });
        }
    });
    format!("http://{address}/")
}

async fn hang(stream: TcpStream) {
    sleep(Duration::from_secs(60)).await;
    drop(stream);
}

async fn hang_up(stream: TcpStream) {
    drop(stream);
}

async fn go_on_for_ever(mut stream: TcpStream) {
    while stream.write_all(b"x: y\r\n").await.is_ok() {}
}

/// What the service answers when it calls this upstream once, and the trace.
async fn call(upstream: &str, status: u16) -> (String, Trace) {
    let arguments = [
        "--upstream-url",
        upstream,
        "--upstream-attempts=1",
        "--upstream-timeout=2s",
    ];
    let (app, trace) = (App::start_with(&arguments).await, Trace::new());
    let reply = Reply::to(app.request(&trace, Method::POST, "/external")).await;
    let detail = reply.problem(status, &trace).to_owned();
    let tree = trace.tree().await;
    let exceptions: usize = trace.spans().iter().map(|span| span.events.len()).sum();
    assert_eq!(exceptions, 1, "{tree}");
    (detail, trace)
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let upstream = upstream(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", hang).await;
    let (detail, trace) = call(&upstream, 504).await;
    assert_eq!(detail, "the upstream did not answer in time");
    // It had answered: the span of the call lasts until the head is there.
    let client = trace.span("GET").await;
    let status = attribute(&client, "http.response.status_code");
    assert_eq!(status.as_deref(), Some("200"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let upstream = upstream(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", hang_up).await;
    let (detail, _) = call(&upstream, 502).await;
    assert_eq!(detail, "the upstream cannot be reached");
}

#[tokio::test]
async fn a_body_without_an_end_is_not_read_for_ever() {
    let upstream = upstream(b"HTTP/1.1 200 OK\r\n\r\n", go_on_for_ever).await;
    let (detail, _) = call(&upstream, 502).await;
    assert_eq!(detail, "the upstream's answer is too large");
}

#[tokio::test]
async fn a_head_without_an_end_is_not_read_for_ever() {
    let upstream = upstream(b"HTTP/1.1 200 OK\r\n", go_on_for_ever).await;
    let (detail, trace) = call(&upstream, 502).await;
    assert_eq!(detail, "the upstream cannot be reached");
    let client = trace.span("GET").await;
    assert!(attribute(&client, "error.type").is_some());
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    for sent in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"", b"HTTP/1.1 2\r\n\r\n"] {
        let upstream = upstream(sent, hang_up).await;
        let (detail, trace) = call(&upstream, 502).await;
        assert_eq!(detail, "the upstream cannot be reached");
        let client = trace.span("GET").await;
        assert!(attribute(&client, "error.type").is_some());
    }
}

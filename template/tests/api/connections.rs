//! Connections that hold a place and ask for nothing: <https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)>.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::app::App;

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// Sends this, then nothing more, and gives what the service answers before it hangs up.
async fn send_and_fall_silent(sent: &str) -> String {
    let app = App::start_with(&["--idle-timeout=300ms"]).await;
    let stream = TcpStream::connect(app.address).await;
    let mut stream = stream.expect("a connection");
    let written = stream.write_all(sent.as_bytes()).await;
    written.expect("the service reads");
    let mut answer = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut answer)).await;
    // A reset is an end, too.
    let _ = ended.expect("the service hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    send_and_fall_silent("").await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    // The first letters may be those of HTTP/2.
    for begun in ["P", "GET /products HTTP/1.1\r\nhost: te"] {
        let answer = send_and_fall_silent(begun).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_is_closed() {
    let request = "GET /products HTTP/1.1\r\nhost: test\r\n\r\n";
    let answer = send_and_fall_silent(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

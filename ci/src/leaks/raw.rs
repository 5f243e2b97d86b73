//! HTTP as bytes, since much of what is sent here is none.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

/// What came back, as text.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// `None` when the connection was closed without a word.
    pub(super) status: Option<u16>,
    pub(super) head: String,
    pub(super) body: String,
}

/// A request whose connection is its own.
pub(super) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n").into_bytes();
    let has = |name| headers.iter().any(|header| header.0 == name);
    if !has("host") {
        bytes.extend(b"host: service.example\r\n");
    }
    if !body.is_empty() && !has("content-length") && !has("transfer-encoding") {
        bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// Sends `bytes` and reads to the end of the connection.
///
/// # Errors
/// When there is no connection, or it does not end in time.
pub(super) async fn send(address: SocketAddr, bytes: &[u8]) -> anyhow::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    // Who refuses a request need not read it to its end, nor close the connection politely.
    let _ = stream.write_all(bytes).await;
    if !contains(bytes.trim_ascii_start(), b"\r\n\r\n") {
        // No whole head: nothing more will come.
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Reply {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

//! Unary gRPC calls, bare: HTTP/2, no metadata but what the step says.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Answer, Request};

/// Byte 0 of a message says that it is not compressed, bytes 1 to 4 how long it is.
const PREFIX: usize = 5;

/// Makes the call `request.target`, which is `package.Service/Method`, and reads the answer to its trailers. Its status is
/// the code of gRPC, its headers are those of head and trailers, its body is the message.
pub(super) async fn call(address: SocketAddr, request: &Request) -> anyhow::Result<Answer> {
    let begun = std::time::Instant::now();
    let stream = TcpStream::connect(address)
        .await
        .context("connecting to the service")?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Its errors reach the call that suffers from them.
    tokio::spawn(connection);

    let length = u32::try_from(request.body.len())?;
    let mut body = vec![0];
    body.extend(length.to_be_bytes());
    body.extend(&request.body);
    let mut call = hyper::Request::post(format!("http://{address}/{}", request.target))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in &request.headers {
        call = call.header(*name, value.as_bytes());
    }
    let (head, body) = sender
        .send_request(call.body(Full::new(Bytes::from(body)))?)
        .await?
        .into_parts();
    let body = body.collect().await?;
    let mut headers = BTreeMap::new();
    keep(&mut headers, &head.headers);
    if let Some(trailers) = body.trailers() {
        keep(&mut headers, trailers);
    }
    let status = headers
        .get("grpc-status")
        .with_context(|| format!("no status; HTTP says {}", head.status))?
        .parse()?;
    let frame = body.to_bytes();
    ensure!(
        frame.is_empty() || frame.len() >= PREFIX && frame[0] == 0,
        "the answer is no message"
    );
    Ok(Answer {
        status,
        headers,
        body: frame.get(PREFIX..).unwrap_or_default().to_vec(),
        took: begun.elapsed(),
    })
}

fn keep(headers: &mut BTreeMap<String, String>, more: &HeaderMap) {
    for (name, value) in more {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.to_string(), value);
    }
}

/// The name of a status code.
pub fn code_name(code: u16) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(usize::from(code)).unwrap_or(&"no code of gRPC")
}

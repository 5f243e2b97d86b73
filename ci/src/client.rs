//! An HTTP/1.1 client that does exactly what a step of the scenario says: one connection a request, no header of its
//! own but `host`, no retry, and it can hang up.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod grpc;

pub use grpc::code_name;

/// The method of a request that is no HTTP but a gRPC call, of `package.Service/Method` in its target.
pub const GRPC: &str = "gRPC";

/// How long a service may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    /// Path and query, or the method of gRPC.
    pub target: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    /// Of HTTP; the code of gRPC where that was called.
    pub status: u16,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub took: Duration,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The trace id of the `traceresponse` header (W3C Trace Context level 2).
    pub fn trace_id(&self) -> Option<&str> {
        self.header("traceresponse")?.split('-').nth(1)
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// When there is no complete answer in time.
pub async fn send(address: SocketAddr, request: &Request) -> anyhow::Result<Answer> {
    let begun = std::time::Instant::now();
    let exchange = async {
        if request.is_grpc() {
            return grpc::call(address, request).await;
        }
        let mut sender = connect(address).await?;
        let response = sender.send_request(request.build(address)?).await?;
        let (head, body) = response.into_parts();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let body = body.collect().await?.to_bytes().to_vec();
        anyhow::Ok(Answer {
            status: head.status.as_u16(),
            headers,
            body,
            took: begun.elapsed(),
        })
    };
    timeout(DEADLINE, exchange)
        .await
        .with_context(|| format!("no answer in {DEADLINE:?}"))?
        .with_context(|| format!("{} {}", request.method, request.target))
}

/// Sends a request, hangs up as soon as `reached` completes, and returns when the service has noticed.
///
/// # Errors
/// When the service answers all the same, keeps the connection, or `reached` fails.
pub async fn abandon(
    address: SocketAddr,
    request: &Request,
    reached: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?.into_std()?;
    let hang_up = stream.try_clone()?;
    let mut sender = over(TcpStream::from_std(stream)?).await?;
    let mut answer = pin!(sender.send_request(request.build(address)?));
    let answer = tokio::select! {
        early = &mut answer => early,
        reached = reached => {
            reached?;
            hang_up.shutdown(Shutdown::Write)?;
            // The service closes the connection in its turn, and nothing comes back.
            let Ok(answer) = timeout(DEADLINE, answer).await else {
                bail!("the service kept a connection whose client had hung up");
            };
            answer
        }
    };
    match answer {
        Ok(answer) => bail!(
            "{} {} was answered with {}",
            request.method,
            request.target,
            answer.status()
        ),
        Err(_closed) => Ok(()),
    }
}

/// Sends a request without a body whose headers may hold what HTTP forbids, and returns the status of the answer.
///
/// # Errors
/// When there is no status line in time.
pub async fn send_raw(address: SocketAddr, request: &Request) -> anyhow::Result<u16> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\n",
        request.method, request.target
    );
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("connection: close\r\n\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer);
        answer
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .context("no status line")
    };
    timeout(DEADLINE, exchange)
        .await
        .with_context(|| format!("no answer in {DEADLINE:?}"))?
}

impl Request {
    pub fn is_grpc(&self) -> bool {
        self.method == GRPC
    }

    /// What a person calls the status of its answer.
    pub fn outcome(&self, status: u16) -> String {
        if self.is_grpc() {
            code_name(status).to_owned()
        } else {
            status.to_string()
        }
    }

    fn build(&self, address: SocketAddr) -> anyhow::Result<hyper::Request<Full<Bytes>>> {
        let mut request = hyper::Request::builder()
            .method(self.method)
            .uri(self.target)
            .header("host", address.to_string());
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_bytes());
        }
        Ok(request.body(Full::new(Bytes::from(self.body.clone())))?)
    }
}

/// A connection of its own; it closes when the sender is dropped.
async fn connect(address: SocketAddr) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address);
    over(stream.await.context("connecting to the service")?).await
}

async fn over(stream: TcpStream) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Its errors reach the request that suffers from them.
    tokio::spawn(connection);
    Ok(sender)
}

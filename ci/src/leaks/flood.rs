//! Names that nobody else has used, by the thousand: of paths, methods, hosts, sessions, agents, and of gRPC's methods.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::signals::MetricPoint;

/// Connections at a time.
const CONNECTIONS: usize = 4;
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "TRACE",
];

/// Sends the requests of these numbers, which decide on everything in them.
pub(super) async fn http(address: SocketAddr, numbers: Range<usize>) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    for first in 0..CONNECTIONS {
        let numbers = numbers.clone().skip(first).step_by(CONNECTIONS);
        connections.spawn(one_after_the_other(address, numbers));
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(())
}

async fn one_after_the_other(
    address: SocketAddr,
    numbers: impl Iterator<Item = usize>,
) -> anyhow::Result<()> {
    let mut open: Option<http1::SendRequest<Empty<Bytes>>> = None;
    for number in numbers {
        let mut sender = match open.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => {
                let stream = TcpStream::connect(address).await?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender
            }
        };
        // A server may hang up after any answer, and on what it takes for an attack.
        if sender.ready().await.is_ok()
            && let Ok(answer) = sender.send_request(request(number)?).await
            && answer.into_body().collect().await.is_ok()
        {
            open = Some(sender);
        }
    }
    Ok(())
}

fn request(n: usize) -> anyhow::Result<hyper::Request<Empty<Bytes>>> {
    let method = match n % 3 {
        0 => format!("M{n}"),
        _ => METHODS[n % METHODS.len()].to_owned(),
    };
    let target = match n % 4 {
        0 => format!("/p{n}?a{n}={n}"),
        1 => format!("/users/{n}"),
        2 => format!("/products?q=q{n}&category=c{n}"),
        _ => format!("/users/x{n}/{n}"),
    };
    let request = hyper::Request::builder()
        .method(method.as_str())
        .uri(target)
        .header("host", format!("h{n}.example:{}", 1 + n % 65_000))
        .header("x-session-id", format!("s{n}"))
        .header("user-agent", format!("a{n}"))
        .header("baggage", format!("k{n}=v{n}"))
        .header(
            "x-forwarded-for",
            format!("10.0.{}.{}", n / 250 % 250, n % 250),
        );
    Ok(request.body(Empty::new())?)
}

/// Calls methods of gRPC that there are not.
pub(super) async fn grpc(address: SocketAddr, numbers: Range<usize>) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    for n in numbers {
        let uri = match n % 2 {
            0 => format!("http://h{n}.example/s{n}.v1.S{n}/M{n}"),
            _ => format!("http://h{n}.example/shop.v1.UserService/M{n}"),
        };
        let request = hyper::Request::post(uri)
            .header("content-type", "application/grpc")
            .header("x-session-id", format!("s{n}"))
            .body(Empty::<Bytes>::new())?;
        sender
            .send_request(request)
            .await?
            .into_body()
            .collect()
            .await?;
    }
    Ok(())
}

/// The time series there are: each metric with each set of attributes.
pub(super) fn series(points: &[MetricPoint]) -> BTreeSet<String> {
    let name = |point: &MetricPoint| format!("{} {:?}", point.name, point.attributes);
    points.iter().map(name).collect()
}

//! Requests over connections that stay: without a pause, or at a pace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::Route;

/// Some requests to one service.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// How long each took, in order.
    pub(super) times: Vec<Duration>,
    pub(super) took: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    address: SocketAddr,
    route: Route,
    connections: usize,
}

/// When a client sends its next request; `None` when it is done.
type Next = dyn Fn(usize, usize) -> Option<Instant> + Send + Sync;

impl Slice {
    pub(super) fn percentile(&self, share: f64) -> Duration {
        let last = self.times.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.times.get(index).copied().unwrap_or_default()
    }
}

impl Load {
    pub(super) fn on(address: SocketAddr, route: Route, connections: usize) -> Self {
        Self {
            address,
            route,
            connections,
        }
    }

    /// As many as can be sent in this time.
    pub(super) async fn during(self, time: Duration) -> Result<Slice> {
        let end = Instant::now() + time;
        self.run(Arc::new(move |_, _| {
            Some(Instant::now()).filter(|now| *now < end)
        }))
        .await
    }

    /// So many.
    pub(super) async fn times(self, count: usize) -> Result<Slice> {
        let begun = AtomicUsize::new(0);
        self.run(Arc::new(move |_, _| {
            (begun.fetch_add(1, Ordering::Relaxed) < count).then(Instant::now)
        }))
        .await
    }

    /// So many a second, evenly, whether those before were answered or not: a request that has to wait for its connection
    /// has begun when it was due.
    pub(super) async fn paced(self, rate: f64, time: Duration) -> Result<Slice> {
        let (begun, connections) = (Instant::now(), self.connections);
        self.run(Arc::new(move |client, request| {
            let nth = request * connections + client;
            let due = Duration::from_secs_f64(nth as f64 / rate);
            (due < time).then_some(begun + due)
        }))
        .await
    }

    async fn run(self, next: Arc<Next>) -> Result<Slice> {
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for client in 0..self.connections {
            clients.spawn(self.client(client, next.clone()));
        }
        let mut slice = Slice::default();
        while let Some(times) = clients.join_next().await {
            slice.times.extend(times??);
        }
        slice.took = begun.elapsed();
        slice.times.sort_unstable();
        Ok(slice)
    }

    async fn client(self, client: usize, next: Arc<Next>) -> Result<Vec<Duration>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (method, target) = self.route.request();
        let mut times = Vec::new();
        while let Some(due) = next(client, times.len()) {
            let mut begun = due;
            if due > Instant::now() {
                sleep_until(due.into()).await;
                // The clock's coarseness is not the service's.
                begun = Instant::now();
            }
            let request = hyper::Request::builder()
                .method(method)
                .uri(target)
                .header("host", self.address.to_string())
                .header("user-agent", "bench")
                .body(Empty::<Bytes>::new())?;
            sender.ready().await?;
            let answer = sender.send_request(request).await;
            let answer = answer.with_context(|| format!("{method} {target}"))?;
            ensure!(
                answer.status().is_success(),
                "{method} {target}: {}",
                answer.status()
            );
            answer.into_body().collect().await?;
            times.push(begun.elapsed());
        }
        Ok(times)
    }
}

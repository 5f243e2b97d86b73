//! Many requests at once, over connections that are kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::DEADLINE;

#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Asked for in turn: `/path`, or `POST /path`.
    pub targets: &'static [&'static str],
    pub requests: usize,
    pub concurrency: usize,
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// How many of each status.
    pub statuses: BTreeMap<u16, usize>,
    /// The trace of each request that was answered, where the answer tells it.
    pub traces: Vec<String>,
    /// Sent, and not answered.
    pub cut: usize,
    /// Not sent: nobody took the connection.
    pub unsent: usize,
    /// How long the answers took, the quickest first.
    pub took: Vec<Duration>,
}

impl Answers {
    pub fn answered(&self) -> usize {
        self.statuses.values().sum()
    }

    pub fn with(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    /// Requests that did not succeed.
    pub fn failed(&self) -> usize {
        self.answered() - self.with(200) + self.cut + self.unsent
    }

    /// What `share` of the answers took at most, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.took.len().saturating_sub(1);
        let index = (last as f64 * share) as usize;
        self.took
            .get(index)
            .map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.traces.extend(other.traces);
        self.cut += other.cut;
        self.unsent += other.unsent;
        self.took.extend(other.took);
    }
}

/// Sends all requests, and hears of each answer at `answered`.
///
/// # Errors
/// When a client breaks.
pub async fn drive(
    address: SocketAddr,
    load: Load,
    answered: &watch::Sender<usize>,
) -> Result<Answers> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..load.concurrency {
        clients.spawn(client(address, load, next.clone(), answered.clone()));
    }
    let mut all = Answers::default();
    while let Some(client) = clients.join_next().await {
        all.add(client.context("a client of the load")?);
    }
    all.took.sort_unstable();
    Ok(all)
}

async fn client(
    address: SocketAddr,
    load: Load,
    next: Arc<AtomicUsize>,
    answered: watch::Sender<usize>,
) -> Answers {
    let mut answers = Answers::default();
    let mut connection = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.requests {
            return answers;
        }
        let mut sender = match connection.take() {
            Some(sender) => sender,
            None => match connect(address).await {
                Some(sender) => sender,
                None => {
                    answers.unsent += 1;
                    return answers; // the service is gone, and whoever counts sees it
                }
            },
        };
        let target = load.targets[number % load.targets.len()];
        let begun = Instant::now();
        match timeout(DEADLINE, ask(&mut sender, address, target)).await {
            Ok(Some((status, trace))) => {
                *answers.statuses.entry(status).or_default() += 1;
                answers.traces.extend(trace);
                answers.took.push(begun.elapsed());
                answered.send_modify(|count| *count += 1);
                if sender.ready().await.is_ok() {
                    connection = Some(sender);
                }
            }
            Ok(None) | Err(_) => answers.cut += 1,
        }
    }
}

async fn connect(address: SocketAddr) -> Option<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    // Its errors reach the request that suffers from them.
    tokio::spawn(connection);
    Some(sender)
}

/// The status, and the trace that the answer tells.
async fn ask(
    sender: &mut SendRequest<Empty<Bytes>>,
    address: SocketAddr,
    target: &str,
) -> Option<(u16, Option<String>)> {
    let (method, target) = target.split_once(' ').unwrap_or(("GET", target));
    let request = hyper::Request::builder()
        .method(method)
        .uri(target)
        .header("host", address.to_string())
        .body(Empty::new());
    let response = sender.send_request(request.ok()?).await.ok()?;
    let (head, body) = response.into_parts();
    body.collect().await.ok()?;
    let trace = head.headers.get("traceresponse");
    let trace = trace.and_then(|value| value.to_str().ok()?.split('-').nth(1));
    Some((head.status.as_u16(), trace.map(str::to_owned)))
}

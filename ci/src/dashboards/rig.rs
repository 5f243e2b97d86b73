//! A service, all that it talks to, and the page that Prometheus reads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use super::exposition;
use crate::client;
use crate::peer::Peer;
use crate::receiver::Receiver;
use crate::scenario::{Outcome, Part, Parts, Step, steps};
use crate::servers::Fresh;
use crate::service::Service;
use crate::stacks::Stack;
use crate::upstream::{Mode, Upstream};

const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Serves what a service sends as Prometheus reads it. Returns its receiver, and the page's address.
///
/// # Errors
/// No port can be bound.
pub(super) async fn page() -> Result<(Arc<Receiver>, SocketAddr)> {
    let receiver = Arc::new(Receiver::start().await?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let read = receiver.clone();
    let metrics = move || async move { exposition::render(&read.store().snapshot().metrics) };
    let app = Router::new().route("/metrics", get(metrics));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((receiver, address))
}

/// A service, and all that it talks to.
pub(super) struct Rig {
    service: Service,
    steps: Vec<Step>,
    upstream: Upstream,
    peer: Peer,
    grpc: Option<SocketAddr>,
    rounds: usize,
}

impl Rig {
    pub(super) async fn start(
        stack: &Stack,
        binary: &Path,
        stores: Option<&Fresh>,
        receiver: &Receiver,
    ) -> Result<Self> {
        let parts = Parts::of(stack);
        let upstream = Upstream::start().await?;
        let mut peer = Peer::start().await?;
        let own = [
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("GRPC_PORT", "0".to_owned()),
            ("UPSTREAM_URL", format!("http://{}", upstream.address())),
            ("GRPC_PEER_URL", format!("http://{}", peer.address())),
            ("UPSTREAM_TIMEOUT", "300ms".to_owned()),
            ("CACHE_TIMEOUT", "10s".to_owned()),
            ("JOBS_BACKOFF", "0s".to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1000".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.grpc_endpoint()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let mut environment: BTreeMap<String, String> = own.into();
        environment.extend(stores.map(Fresh::environment).unwrap_or_default());
        let service = Service::start(binary, &environment).await?;
        let mut grpc = None;
        if parts.has(Part::Grpc) {
            let address = service.address_of("gRPC listening").await?;
            peer.forward_to(address);
            grpc = Some(address);
        }
        let wanted =
            |step: &Step| step.applies_to(&parts) && matches!(step.outcome, Outcome::Status(_));
        Ok(Self {
            service,
            steps: steps().into_iter().filter(wanted).collect(),
            upstream,
            peer,
            grpc,
            rounds: 0,
        })
    }

    /// Asks all that the scenario asks, each time as people with other addresses. That some answers differ the second time is no
    /// matter.
    pub(super) async fn round(&mut self) -> Result<()> {
        self.rounds += 1;
        for step in &self.steps {
            self.upstream.set(step.upstream).await?;
            self.peer.listen(step.upstream != Mode::Refuse).await?;
            let address = match self.grpc {
                Some(address) if step.request.is_grpc() => address,
                _ => self.service.address(),
            };
            let mut request = step.request.clone();
            if let Ok(text) = std::str::from_utf8(&request.body) {
                let domain = format!("@{}.example.com", self.rounds);
                request.body = text.replace("@example.com", &domain).into_bytes();
            }
            let answer = client::send(address, &request).await;
            answer.with_context(|| step.name.to_owned())?;
        }
        Ok(())
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.service.terminate()?;
        self.service.ended(STOP_DEADLINE).await.map(drop)
    }
}

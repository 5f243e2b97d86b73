//! An OTLP receiver on two free local ports: gRPC and HTTP/protobuf, for traces, metrics and logs.

mod answer;
mod grpc;
mod http;
mod store;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use store::{Received, Store};

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest export accepted, uncompressed.
const MAX_EXPORT: usize = 64 * 1024 * 1024;

/// A running receiver. It stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    store: Arc<Store>,
    grpc: SocketAddr,
    http: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Receiver {
    /// Listens on two free ports of the loopback interface.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        let store = Arc::new(Store::default());
        let grpc = TcpListener::bind("127.0.0.1:0")
            .await
            .context("binding the OTLP/gRPC port")?;
        let http = TcpListener::bind("127.0.0.1:0")
            .await
            .context("binding the OTLP/HTTP port")?;
        Ok(Self {
            grpc: grpc.local_addr()?,
            http: http.local_addr()?,
            tasks: vec![
                tokio::spawn(grpc::serve(grpc, store.clone())),
                tokio::spawn(http::serve(http, store.clone())),
            ],
            store,
        })
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT` for `grpc`.
    pub fn grpc_endpoint(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT` for `http/protobuf`.
    pub fn http_endpoint(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The value of both without the scheme: gRPC, HTTP.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        [self.grpc, self.http]
    }

    /// What it answers from now on.
    pub fn answer(&self, answer: Answer) {
        self.store.set_answer(answer);
    }

    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

//! A collector that counts spans and forgets the rest: the judging receiver would take more time than what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, async_trait};

/// It stops when it is dropped.
#[derive(Debug)]
pub(super) struct Sink {
    counter: Counter,
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Sink {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("binding the sink's port")?;
        let address = listener.local_addr()?;
        let counter = Counter::default();
        let served = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(counter.clone()))
            .add_service(MetricsServiceServer::new(counter.clone()))
            .add_service(LogsServiceServer::new(counter.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(async move {
            if let Err(error) = served.await {
                eprintln!("the sink stopped: {error}");
            }
        });
        Ok(Self {
            counter,
            address,
            task,
        })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn spans(&self) -> usize {
        self.counter.0.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl TraceService for Counter {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.0.fetch_add(spans, Ordering::Relaxed);
        Ok(Response::new(Default::default()))
    }
}

#[async_trait]
impl MetricsService for Counter {
    async fn export(
        &self,
        _: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

#[async_trait]
impl LogsService for Counter {
    async fn export(
        &self,
        _: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

//! OTLP over gRPC.

use std::sync::Arc;

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
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, async_trait};

use super::MAX_EXPORT;
use super::store::{Protocol, Store};
use crate::signals::{decode_logs, decode_metrics, decode_traces};

#[derive(Clone)]
struct Collector(Arc<Store>);

pub(super) async fn serve(listener: TcpListener, store: Arc<Store>) {
    let collector = Collector(store);
    let traces = TraceServiceServer::new(collector.clone());
    let metrics = MetricsServiceServer::new(collector.clone());
    let logs = LogsServiceServer::new(collector);
    let served = tonic::transport::Server::builder()
        .add_service(
            traces
                .accept_compressed(Gzip)
                .max_decoding_message_size(MAX_EXPORT),
        )
        .add_service(
            metrics
                .accept_compressed(Gzip)
                .max_decoding_message_size(MAX_EXPORT),
        )
        .add_service(
            logs.accept_compressed(Gzip)
                .max_decoding_message_size(MAX_EXPORT),
        )
        .serve_with_incoming(TcpIncoming::from(listener))
        .await;
    if let Err(error) = served {
        eprintln!("the OTLP/gRPC receiver stopped: {error}");
    }
}

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let spans = decode_traces(request.into_inner());
        self.0
            .add(Protocol::Grpc, |received| received.spans.extend(spans));
        Ok(Response::new(Default::default()))
    }
}

#[async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let points = decode_metrics(request.into_inner());
        self.0
            .add(Protocol::Grpc, |received| received.metrics.extend(points));
        Ok(Response::new(Default::default()))
    }
}

#[async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let records = decode_logs(request.into_inner());
        self.0
            .add(Protocol::Grpc, |received| received.logs.extend(records));
        Ok(Response::new(Default::default()))
    }
}

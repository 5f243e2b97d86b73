//! OTLP over gRPC.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
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
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, async_trait};

use super::MAX_EXPORT;
use super::answer::{Answer, REASON};
use super::store::{Protocol, Store};
use crate::signals::{decode_logs, decode_metrics, decode_traces};

#[derive(Clone)]
struct Collector(Arc<Store>);

impl Collector {
    /// How many records of an export are not taken.
    async fn verdict(&self) -> Result<usize, Status> {
        self.0.answer().judge().await.map_err(Answer::over_grpc)
    }
}

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
        let rejected = self.verdict().await?;
        let spans = decode_traces(request.into_inner());
        self.0.add(Protocol::Grpc, |received| {
            received.spans.extend(spans.into_iter().skip(rejected));
        });
        let partial_success = (rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: REASON.to_owned(),
        });
        Ok(Response::new(ExportTraceServiceResponse {
            partial_success,
        }))
    }
}

#[async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.verdict().await?;
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
        let rejected = self.verdict().await?;
        let records = decode_logs(request.into_inner());
        self.0.add(Protocol::Grpc, |received| {
            received.logs.extend(records.into_iter().skip(rejected));
        });
        let partial_success = (rejected > 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: REASON.to_owned(),
        });
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}

//! OTLP over HTTP with protobuf bodies.

use std::io::Read as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;

use super::MAX_EXPORT;
use super::answer::REASON;
use super::store::{Protocol, Store};
use crate::signals::{decode_logs, decode_metrics, decode_traces};

const PROTOBUF: &str = "application/x-protobuf";

/// A refusal: the status and what was wrong, for the exporter's log.
struct Refusal {
    status: StatusCode,
    reason: String,
    /// Seconds.
    again: Option<u64>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.reason).into_response();
        let again = self.again.map(|seconds| seconds.into());
        response
            .headers_mut()
            .extend(again.map(|again| (RETRY_AFTER, again)));
        response
    }
}

/// How many records of an export are not taken.
async fn verdict(store: &Store) -> Result<usize, Refusal> {
    store.answer().judge().await.map_err(|refused| {
        let (status, again) = refused.over_http();
        Refusal {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            reason: REASON.to_owned(),
            again,
        }
    })
}

pub(super) async fn serve(listener: TcpListener, store: Arc<Store>) {
    let routes = Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .route("/v1/logs", post(logs))
        .layer(DefaultBodyLimit::max(MAX_EXPORT))
        .with_state(store);
    if let Err(error) = axum::serve(listener, routes).await {
        eprintln!("the OTLP/HTTP receiver stopped: {error}");
    }
}

async fn traces(
    State(store): State<Arc<Store>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let rejected = verdict(&store).await?;
    let spans = decode_traces(message(&headers, &body)?);
    store.add(Protocol::Http, |received| {
        received.spans.extend(spans.into_iter().skip(rejected));
    });
    let partial_success = (rejected > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: REASON.to_owned(),
    });
    Ok(accepted(&ExportTraceServiceResponse { partial_success }))
}

async fn metrics(
    State(store): State<Arc<Store>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    verdict(&store).await?;
    let points = decode_metrics(message(&headers, &body)?);
    store.add(Protocol::Http, |received| received.metrics.extend(points));
    Ok(accepted(&ExportMetricsServiceResponse::default()))
}

async fn logs(
    State(store): State<Arc<Store>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let rejected = verdict(&store).await?;
    let records = decode_logs(message(&headers, &body)?);
    store.add(Protocol::Http, |received| {
        received.logs.extend(records.into_iter().skip(rejected));
    });
    let partial_success = (rejected > 0).then(|| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: REASON.to_owned(),
    });
    Ok(accepted(&ExportLogsServiceResponse { partial_success }))
}

/// Full success encodes to no bytes.
fn accepted(response: &impl Message) -> Response {
    ([(CONTENT_TYPE, PROTOBUF)], response.encode_to_vec()).into_response()
}

fn message<M: Message + Default>(headers: &HeaderMap, body: &Bytes) -> Result<M, Refusal> {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if header(CONTENT_TYPE) != PROTOBUF {
        let got = header(CONTENT_TYPE);
        return Err(Refusal {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            reason: format!("content-type `{got}`, want {PROTOBUF}"),
            again: None,
        });
    }
    let refused = |reason: String| Refusal {
        status: StatusCode::BAD_REQUEST,
        reason,
        again: None,
    };
    let decoded = match header(CONTENT_ENCODING) {
        "gzip" => {
            let mut plain = Vec::new();
            GzDecoder::new(body.as_ref())
                .take(MAX_EXPORT as u64)
                .read_to_end(&mut plain)
                .map_err(|error| refused(error.to_string()))?;
            M::decode(plain.as_slice())
        }
        "" | "identity" => M::decode(body.as_ref()),
        other => return Err(refused(format!("content-encoding `{other}`"))),
    };
    decoded.map_err(|error| refused(error.to_string()))
}

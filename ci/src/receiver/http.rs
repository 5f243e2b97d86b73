//! OTLP over HTTP with protobuf bodies.

use std::io::Read as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use prost::Message;
use tokio::net::TcpListener;

use super::MAX_EXPORT;
use super::store::{Protocol, Store};
use crate::signals::{decode_logs, decode_metrics, decode_traces};

const PROTOBUF: &str = "application/x-protobuf";

/// A refusal: the status and what was wrong, for the exporter's log.
type Refusal = (StatusCode, String);

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
    let spans = decode_traces(message(&headers, &body)?);
    store.add(Protocol::Http, |received| received.spans.extend(spans));
    Ok(accepted())
}

async fn metrics(
    State(store): State<Arc<Store>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let points = decode_metrics(message(&headers, &body)?);
    store.add(Protocol::Http, |received| received.metrics.extend(points));
    Ok(accepted())
}

async fn logs(
    State(store): State<Arc<Store>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let records = decode_logs(message(&headers, &body)?);
    store.add(Protocol::Http, |received| received.logs.extend(records));
    Ok(accepted())
}

/// An empty `Export…ServiceResponse`: full success encodes to no bytes.
fn accepted() -> Response {
    ([(CONTENT_TYPE, PROTOBUF)], Bytes::new()).into_response()
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
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("content-type `{got}`, want {PROTOBUF}"),
        ));
    }
    let refused = |error: String| (StatusCode::BAD_REQUEST, error);
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

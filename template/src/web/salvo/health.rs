use http::StatusCode;
use salvo::{Depot, Response, Router, handler};
use serde_json::{Value, json};

use super::{json::Json, state};
use crate::health::Readiness;

/// Both spellings are in use: Kubernetes' with `z`, others without.
pub(super) fn routes() -> Router {
    Router::new()
        .push(Router::with_path("/health").get(live))
        .push(Router::with_path("/healthz").get(live))
        .push(Router::with_path("/ready").get(ready))
        .push(Router::with_path("/readyz").get(ready))
}

/// The process is there and answers. It asks no dependency: restarting this would not mend one.
#[handler]
async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

#[handler]
async fn ready(depot: &mut Depot, response: &mut Response) -> Json<Readiness> {
    let readiness = state(depot).readiness().await;
    response.status_code(if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    });
    Json(readiness)
}

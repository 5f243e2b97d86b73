use actix_web::{
    HttpResponse,
    web::{Data, Json, ServiceConfig},
};
use serde_json::{Value, json};

use super::layers::{get, resource};
use crate::state::AppState;

/// Both spellings are in use: Kubernetes' with `z`, others without.
pub(super) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(resource("/health", "GET, HEAD").route(get().to(live)))
        .service(resource("/healthz", "GET, HEAD").route(get().to(live)))
        .service(resource("/ready", "GET, HEAD").route(get().to(ready)))
        .service(resource("/readyz", "GET, HEAD").route(get().to(ready)));
}

/// The process is there and answers. It asks no dependency: restarting this would not mend one.
async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn ready(state: Data<AppState>) -> HttpResponse {
    let readiness = state.readiness().await;
    let mut response = if readiness.is_ready() {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response.json(readiness)
}

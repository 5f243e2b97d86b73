use rocket::{Route, State, get, http::Status, routes};
use serde_json::{Value, json};

use super::extract::Json;
use crate::{health::Readiness, state::AppState};

/// Both spellings are in use: Kubernetes' with `z`, others without.
pub(super) fn routes() -> Vec<Route> {
    routes![health, healthz, ready, readyz]
}

#[get("/health")]
fn health() -> Json<Value> {
    live()
}

#[get("/healthz")]
fn healthz() -> Json<Value> {
    live()
}

#[get("/ready")]
async fn ready(state: &State<AppState>) -> (Status, Json<Readiness>) {
    readiness(state).await
}

#[get("/readyz")]
async fn readyz(state: &State<AppState>) -> (Status, Json<Readiness>) {
    readiness(state).await
}

/// The process is there and answers. It asks no dependency: restarting this would not mend one.
fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn readiness(state: &AppState) -> (Status, Json<Readiness>) {
    let readiness = state.readiness().await;
    let status = if readiness.is_ready() {
        Status::Ok
    } else {
        Status::ServiceUnavailable
    };
    (status, Json(readiness))
}

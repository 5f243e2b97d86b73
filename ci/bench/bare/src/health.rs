//! What load balancers ask.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::AppState;

pub const PATHS: [&str; 4] = ["/health", "/healthz", "/ready", "/readyz"];

#[derive(Debug, Serialize)]
pub struct Readiness {
    pub status: &'static str,
    pub checks: BTreeMap<&'static str, &'static str>,
}

pub async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub async fn ready(State(state): State<Arc<AppState>>) -> (StatusCode, Json<Readiness>) {
    let check = sqlx::query("SELECT 1").execute(&state.pool);
    let answered = timeout(Duration::from_secs(2), check).await;
    let (code, status, db) = if matches!(answered, Ok(Ok(_))) {
        (StatusCode::OK, "ready", "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready", "failed")
    };
    let checks = BTreeMap::from([("db", db)]);
    (code, Json(Readiness { status, checks }))
}

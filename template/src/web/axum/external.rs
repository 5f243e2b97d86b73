use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::post};

use crate::{
    error::AppError,
    external::{self, Reply},
    state::AppState,
};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/external", post(call))
}

async fn call(State(state): State<Arc<AppState>>) -> Result<Json<Reply>, AppError> {
    Ok(Json(external::call(&state).await?))
}

use std::sync::Arc;

use axum::{Router, extract::State, response::Html, routing::get};
use http::header::CONTENT_TYPE;

use crate::{error::AppError, openapi, state::AppState};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/openapi.json", get(document))
        .route("/docs", get(page))
}

async fn document() -> ([(http::HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], openapi::document())
}

async fn page(State(state): State<Arc<AppState>>) -> Result<Html<&'static str>, AppError> {
    Ok(Html(state.openapi.page()?))
}

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    routing::get,
};

use crate::{
    error::AppError,
    products::{self, Found, Search},
    state::AppState,
};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/products", get(search))
}

async fn search(
    State(state): State<Arc<AppState>>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Found>, AppError> {
    let Query(search) = search?;
    Ok(Json(products::search(&state, search).await?))
}

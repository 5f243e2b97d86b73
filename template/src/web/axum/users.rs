use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    response::IntoResponse,
    routing::{get, post},
};
use http::{StatusCode, header::LOCATION};

use crate::{
    error::AppError,
    state::AppState,
    users::{self, NewUser, User},
};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/users", post(create))
        .route("/users/{id}", get(show))
}

async fn show(
    State(state): State<Arc<AppState>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<User>, AppError> {
    let Path(id) = id?;
    Ok(Json(users::get(&state, id).await?))
}

async fn create(
    State(state): State<Arc<AppState>>,
    user: Result<Json<NewUser>, JsonRejection>,
) -> Result<impl IntoResponse, AppError> {
    let Json(user) = user?;
    let user = users::create(&state, user).await?;
    let location = [(LOCATION, format!("/users/{}", user.id))];
    Ok((StatusCode::CREATED, location, Json(user)))
}

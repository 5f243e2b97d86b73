//! Routes, and what they have in common.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, Query, Request, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use http::{
    StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    AppState,
    config::Config,
    error::AppError,
    external::Reply,
    health::{self, live, ready},
    openapi,
    products::{self, Found, Search},
    users::{self, NewUser, User},
};

/// The routes that are measured: each variant has its own.
pub fn domain() -> Router<Arc<AppState>> {
    Router::new()
        .route("/external", post(external))
        .route("/products", get(search))
        .route("/users/{id}", get(user))
}

/// All others.
pub fn rest() -> Router<Arc<AppState>> {
    Router::new()
        .route("/health", get(live))
        .route("/healthz", get(live))
        .route("/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/openapi.json", get(document))
        .route("/docs", get(page))
        .route("/users", post(create))
}

/// What all routes have in common.
pub fn around(routes: Router, config: &Config) -> Router {
    let gate = Arc::new(Semaphore::new(config.max_concurrent_requests));
    routes
        .fallback(async || AppError::NotFound("page"))
        .method_not_allowed_fallback(async || AppError::Rejected {
            status: StatusCode::METHOD_NOT_ALLOWED,
            detail: "this method is not allowed here".to_owned(),
        })
        .layer(
            ServiceBuilder::new()
                .layer(CatchPanicLayer::custom(panicked))
                .layer(from_fn_with_state(gate, unless_overloaded))
                .layer(from_fn_with_state(config.request_timeout, in_time))
                .layer(DefaultBodyLimit::max(config.body_limit)),
        )
}

async fn external(State(state): State<Arc<AppState>>) -> Result<Json<Reply>, AppError> {
    Ok(Json(state.external.call(&Default::default()).await?))
}

async fn search(
    State(state): State<Arc<AppState>>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Found>, AppError> {
    let Query(search) = search?;
    Ok(Json(products::search(&state.pool, search).await?))
}

async fn user(
    State(state): State<Arc<AppState>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<User>, AppError> {
    let Path(id) = id?;
    Ok(Json(users::get(&state.pool, id).await?))
}

async fn create(
    State(state): State<Arc<AppState>>,
    user: Result<Json<NewUser>, JsonRejection>,
) -> Result<impl IntoResponse, AppError> {
    let Json(user) = user?;
    let user = users::create(&state.pool, user).await?;
    let location = [(LOCATION, format!("/users/{}", user.id))];
    Ok((StatusCode::CREATED, location, Json(user)))
}

async fn document() -> ([(http::HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], openapi::document())
}

async fn page(State(state): State<Arc<AppState>>) -> Result<Html<&'static str>, AppError> {
    Ok(Html(state.openapi.page()?))
}

async fn unless_overloaded(
    State(gate): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Result<Response, AppError> {
    if health::PATHS.contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let Ok(_admitted) = gate.try_acquire() else {
        return Err(AppError::transient("too many requests are being served"));
    };
    Ok(next.run(request).await)
}

async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let handled = tokio::time::timeout(limit, next.run(request)).await;
    handled
        .unwrap_or_else(|_| AppError::failed(StatusCode::SERVICE_UNAVAILABLE, None).into_response())
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    AppError::failed(StatusCode::INTERNAL_SERVER_ERROR, None).into_response()
}

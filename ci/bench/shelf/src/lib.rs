//! The twin's handlers with spans: the server's by a crate off the shelf, all others by hand, as the users of such crates
//! write them.

pub mod telemetry;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    routing::{get, post},
};
use bare::{
    AppState,
    config::Config,
    error::AppError,
    external::Reply,
    products::{self, Found, Search},
    serve,
    users::{self, User},
    web,
};
use clap::Parser as _;
use http::HeaderMap;
use opentelemetry::global;
use opentelemetry_http::HeaderInjector;
use tracing::{Instrument as _, Span, field::Empty, info_span, instrument};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Serves, with what `instrument` puts around all routes.
pub async fn run(instrument: impl FnOnce(Router) -> Router) -> anyhow::Result<()> {
    let telemetry = telemetry::init()?;
    let config = Config::parse();
    let state = Arc::new(AppState::connect(&config).await?);
    let routes = domain().merge(web::rest()).with_state(state.clone());
    serve::serve(&config, instrument(web::around(routes, &config))).await?;
    state.pool.close().await;
    telemetry.shutdown()
}

fn domain() -> Router<Arc<AppState>> {
    Router::new()
        .route("/external", post(external))
        .route("/products", get(search))
        .route("/users/{id}", get(user))
}

async fn user(
    State(state): State<Arc<AppState>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<User>, AppError> {
    let Path(id) = id?;
    Ok(Json(get_user(&state, id).await?))
}

#[instrument(name = "db.get_user", skip_all, fields(user.id = id, db.result = Empty))]
async fn get_user(state: &AppState, id: i64) -> Result<User, AppError> {
    let query = info_span!(
        "SELECT users",
        otel.kind = "client",
        db.system.name = "sqlite",
        db.namespace = "service.db",
        db.operation.name = "SELECT",
        db.collection.name = "users",
        db.query.text = users::SELECT,
    );
    let user = users::find(&state.pool, id).instrument(query).await?;
    let result = if user.is_some() { "found" } else { "not_found" };
    Span::current().record("db.result", result);
    user.ok_or(AppError::NotFound("user"))
}

async fn search(
    State(state): State<Arc<AppState>>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Found>, AppError> {
    let Query(search) = search?;
    search.check()?;
    Ok(Json(find(&state, search).await?))
}

#[instrument(
    name = "product.search",
    skip_all,
    fields(search.query = search.q, search.result_count = Empty)
)]
async fn find(state: &AppState, search: Search) -> Result<Found, AppError> {
    let query = info_span!(
        "SELECT products",
        otel.kind = "client",
        db.system.name = "sqlite",
        db.namespace = "service.db",
        db.operation.name = "SELECT",
        db.collection.name = "products",
        db.query.text = products::SEARCH,
    );
    let products = products::find(&state.pool, &search)
        .instrument(query)
        .await?;
    let count = products.len();
    Span::current().record("search.result_count", count as i64);
    Ok(Found { count, products })
}

async fn external(State(state): State<Arc<AppState>>) -> Result<Json<Reply>, AppError> {
    Ok(Json(call(&state).await?))
}

#[instrument(name = "external_api.call", skip_all)]
async fn call(state: &AppState) -> Result<Reply, AppError> {
    let url = state.external.url();
    let span = info_span!(
        "GET",
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = "GET",
        http.response.status_code = Empty,
        server.address = url.and_then(|url| url.host_str()),
        server.port = url.and_then(|url| url.port_or_known_default()),
        url.full = url.map(|url| url.as_str()),
    );
    let mut headers = HeaderMap::new();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&span.context(), &mut HeaderInjector(&mut headers));
    });
    let reply = state.external.call(&headers).instrument(span.clone()).await;
    match &reply {
        Ok(reply) => span.record("http.response.status_code", i64::from(reply.status)),
        Err(_) => span.record("otel.status_code", "ERROR"),
    };
    Ok(reply?)
}

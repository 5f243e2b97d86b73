//! The default service without telemetry: the same routes, limits, statements and answers, written as one would by hand.

use std::{env, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sqlx::{
    ConnectOptions as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower_http::catch_panic::CatchPanicLayer;

// As the services are given them: valgrind makes all slow.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
const DATABASE_TIMEOUT: Duration = Duration::from_secs(300);
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Clone)]
struct Parts {
    pool: SqlitePool,
    client: reqwest::Client,
    upstream: String,
}

/// Every failure is a 500 here: the routes that are measured do not fail.
struct Failed;

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        eprintln!("{error}");
        Self
    }
}

impl axum::response::IntoResponse for Failed {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

#[derive(Serialize, sqlx::FromRow)]
struct User {
    id: i64,
    name: String,
    email: String,
}

async fn user(State(parts): State<Parts>, Path(id): Path<i64>) -> Result<Response, Failed> {
    let query = sqlx::query_as::<_, User>("SELECT id, name, email FROM users WHERE id = ?");
    let user = query.bind(id).fetch_optional(&parts.pool).await?;
    Ok(match user {
        Some(user) => Json(user).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    category: String,
}

#[derive(Serialize, sqlx::FromRow)]
struct Product {
    id: i64,
    name: String,
    category: String,
    price_cents: i64,
}

#[derive(Serialize)]
struct Found {
    count: usize,
    products: Vec<Product>,
}

async fn products(
    State(parts): State<Parts>,
    Query(search): Query<Search>,
) -> Result<Json<Found>, Failed> {
    let query = sqlx::query_as::<_, Product>(
        "
    SELECT id, name, category, price_cents FROM products
    WHERE instr(lower(name), lower(?1)) > 0 AND (?2 = '' OR category = ?2)
    ORDER BY id LIMIT ?3",
    );
    let query = query.bind(&search.q).bind(&search.category).bind(20_i64);
    let products = query.fetch_all(&parts.pool).await?;
    let count = products.len();
    Ok(Json(Found { count, products }))
}

#[derive(Serialize)]
struct Reply {
    status: u16,
    bytes: usize,
}

async fn external(State(parts): State<Parts>) -> Result<Json<Reply>, Failed> {
    let mut response = parts.client.get(&parts.upstream).send().await?;
    let status = response.status().as_u16();
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await? {
        bytes += chunk.len();
    }
    Ok(Json(Reply { status, bytes }))
}

async fn in_time(request: Request, next: Next) -> Response {
    let handled = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await;
    handled.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = SqliteConnectOptions::new()
        .filename("service.db")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(DATABASE_TIMEOUT)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(10)
        .acquire_timeout(DATABASE_TIMEOUT)
        .connect_with(options)
        .await?;
    sqlx::migrate!().run(&pool).await?;
    let seed = sqlx::raw_sql(include_str!("../migrations/seed.sql"));
    seed.execute(&pool).await?;

    let client = reqwest::Client::builder().timeout(UPSTREAM_TIMEOUT);
    let parts = Parts {
        pool,
        client: client.no_proxy().build()?,
        upstream: env::var("UPSTREAM_URL").unwrap_or_default(),
    };
    let routes = Router::new()
        .route("/users/{id}", get(user))
        .route("/products", get(products))
        .route("/external", post(external))
        .layer(DefaultBodyLimit::max(65_536))
        .layer(middleware::from_fn(in_time))
        .layer(CatchPanicLayer::new())
        .with_state(parts);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!(r#"{{"message":"listening","address":"{address}"}}"#);
    let mut told = signal(SignalKind::terminate())?;
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            told.recv().await;
        })
        .await?;
    Ok(())
}

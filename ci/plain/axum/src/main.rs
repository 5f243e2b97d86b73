//! A plain axum service: a query, and a call to others.

use std::env;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use sqlx::SqlitePool;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[derive(Clone)]
struct Shop {
    pool: SqlitePool,
    client: reqwest::Client,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt::init();
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let client = reqwest::Client::new();

    let app = Router::new()
        .route("/hello/{name}", get(hello))
        .route("/relay", get(relay))
        .with_state(Shop { pool, client });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let server = axum::serve(listener, app).with_graceful_shutdown(stop());
    server.await
}

async fn stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal");
    terminate.recv().await;
}

async fn hello(State(shop): State<Shop>, Path(name): Path<String>) -> Result<String, StatusCode> {
    let greeting = sqlx::query_scalar("SELECT 'Hello, ' || ?").bind(name);
    let greeting = greeting.fetch_one(&shop.pool).await;
    greeting.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn relay(State(shop): State<Shop>) -> Result<String, StatusCode> {
    let url = env::var("UPSTREAM_URL").map_err(|_| StatusCode::NOT_FOUND)?;
    let answer = shop.client.get(url).send().await;
    let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?;
    answer.text().await.map_err(|_| StatusCode::BAD_GATEWAY)
}

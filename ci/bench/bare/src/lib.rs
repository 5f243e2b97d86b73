//! The default service without telemetry: the same routes, limits, statements and answers, written as one would by hand.
//!
//! As a library, because the off-the-shelf variants (`ci/bench/shelf`) put their spans around the same parts.

pub mod config;
pub mod db;
pub mod error;
pub mod external;
pub mod health;
/// The service's own files, which know no telemetry. Its types do not compile unless those here have the same fields.
#[expect(dead_code, reason = "the twin has no commands")]
pub mod openapi;
pub mod products;
pub mod serve;
pub mod users;
pub mod web;

use config::Config;
use external::External;
use openapi::Openapi;
use sqlx::SqlitePool;

/// What handlers share.
#[derive(Debug)]
pub struct AppState {
    pub pool: SqlitePool,
    pub external: External,
    pub openapi: Openapi,
}

impl AppState {
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            pool: db::connect(config).await?,
            external: External::new(config)?,
            openapi: Openapi::connect(config).await?,
        })
    }
}

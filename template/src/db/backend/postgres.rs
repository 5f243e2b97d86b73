//! PostgreSQL, and all SQL text of the service.

use std::str::FromStr as _;

use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use telemetry::sql;

use super::Settings;

pub const SELECT_USER: &str = "SELECT id, name, email FROM users WHERE id = $1";

const INSERT_USER: &str = "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id";

/// Text, category, limit; empty text matches everything.
pub const SEARCH_PRODUCTS: &str = "
    SELECT id, name, category, price_cents FROM products
    WHERE strpos(lower(name), lower($1)) > 0 AND ($2 = '' OR category = $2)
    ORDER BY id LIMIT $3";

pub(super) const SCHEME: &str = "postgres";
/// What the official container image serves with `POSTGRES_PASSWORD=postgres`.
pub(super) const DEFAULT_URL: &str = "postgres://postgres:postgres@localhost:5432/postgres";
pub(super) const URL_HELP: &str = "Database to use, such as postgres://user:password@host:5432/shop; \
    over a network that is not yours add ?sslmode=verify-full";

pub(super) fn options(settings: &Settings) -> sqlx::Result<PgConnectOptions> {
    // The span says it all.
    Ok(PgConnectOptions::from_str(&settings.url)?.disable_statement_logging())
}

/// Adds a user and gives its id.
pub(crate) async fn insert_user(pool: &sql::Pool, name: &str, email: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(INSERT_USER)
        .bind(name)
        .bind(email)
        .fetch_one(pool)
        .await
}

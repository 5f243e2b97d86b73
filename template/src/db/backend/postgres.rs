//! PostgreSQL, and all SQL text of the service.

use std::str::FromStr as _;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgPoolOptions},
};
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

pub(super) const STATEMENT_TIMEOUT_HELP: &str = "How long a statement may take";

pub(super) fn options(settings: &Settings) -> sqlx::Result<PgConnectOptions> {
    // The span says it all.
    Ok(PgConnectOptions::from_str(&settings.url)?.disable_statement_logging())
}

pub(super) fn pool(settings: &Settings) -> PgPoolOptions {
    let limit = settings.statement_timeout.as_millis();
    let limit = format!("SET statement_timeout = {limit}");
    PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.timeout)
        // Not by an option of the connection: connection poolers in between refuse those.
        .after_connect(move |connection, _| {
            let limit = limit.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(limit)).await.map(drop) })
        })
}

/// Whether the server gave up because it would have taken too long: `query_canceled`, `lock_not_available`.
pub(super) fn is_timeout(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("57014" | "55P03"))
}

/// Whether the server starts, stops, or has no room: classes 08, 53 and 57P of
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn is_away(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    ["08", "53", "57P"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// Adds a user and gives its id.
pub(crate) async fn insert_user(pool: &sql::Pool, name: &str, email: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(INSERT_USER)
        .bind(name)
        .bind(email)
        .fetch_one(pool)
        .await
}

//! SQLite, and all SQL text of the service.

use std::str::FromStr as _;

use sqlx::{
    ConnectOptions as _,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use telemetry::sql;

use super::Settings;

pub const SELECT_USER: &str = "SELECT id, name, email FROM users WHERE id = ?";

const INSERT_USER: &str = "INSERT INTO users (name, email) VALUES (?, ?) RETURNING id";

/// Text, category, limit; empty text matches everything.
pub const SEARCH_PRODUCTS: &str = "
    SELECT id, name, category, price_cents FROM products
    WHERE instr(lower(name), lower(?1)) > 0 AND (?2 = '' OR category = ?2)
    ORDER BY id LIMIT ?3";

pub(super) const SCHEME: &str = "sqlite:";
pub(super) const DEFAULT_URL: &str = "sqlite:service.db?mode=rwc";
pub(super) const URL_HELP: &str =
    "Database to use, such as sqlite:/var/lib/shop/shop.db?mode=rwc (`rwc` creates it)";

pub(super) const STATEMENT_TIMEOUT_HELP: &str =
    "How long a statement may wait for another one that changes something";

pub(super) fn options(settings: &Settings) -> sqlx::Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(&settings.url)?
        .journal_mode(SqliteJournalMode::Wal) // readers do not wait for the writer
        .busy_timeout(settings.statement_timeout)
        .disable_statement_logging(); // the span says it all
    Ok(options)
}

pub(super) fn pool(settings: &Settings) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.timeout)
}

/// Whether another connection held the lock for too long: SQLITE_BUSY, SQLITE_LOCKED and what extends them
/// (<https://sqlite.org/rescode.html>).
pub(super) fn is_timeout(error: &dyn DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// There is no server that could be.
pub(super) fn is_away(_: &dyn DatabaseError) -> bool {
    false
}

/// Adds a user and gives its id.
pub(crate) async fn insert_user(pool: &sql::Pool, name: &str, email: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(INSERT_USER)
        .bind(name)
        .bind(email)
        .fetch_one(pool)
        .await
}

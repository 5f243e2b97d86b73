//! MySQL or MariaDB, and all SQL text of the service.

use std::str::FromStr as _;

use sqlx::{ConnectOptions as _, mysql::MySqlConnectOptions};
use telemetry::sql;

use super::Settings;

pub const SELECT_USER: &str = "SELECT id, name, email FROM users WHERE id = ?";

const INSERT_USER: &str = "INSERT INTO users (name, email) VALUES (?, ?)";

/// Text, category, limit; empty text matches everything. Placeholders have no numbers here: each is there once.
pub const SEARCH_PRODUCTS: &str = "
    SELECT id, name, category, price_cents FROM products
    WHERE instr(lower(name), lower(?)) > 0 AND ? IN ('', category)
    ORDER BY id LIMIT ?";

pub(super) const SCHEME: &str = "mysql:";
/// What the official container image serves with `MYSQL_ROOT_PASSWORD=root` and `MYSQL_DATABASE=service`.
pub(super) const DEFAULT_URL: &str = "mysql://root:root@localhost:3306/service";
pub(super) const URL_HELP: &str = "Database to use, such as mysql://user:password@host:3306/shop; \
    over a network that is not yours add ?ssl-mode=VERIFY_IDENTITY";

pub(super) fn options(settings: &Settings) -> sqlx::Result<MySqlConnectOptions> {
    // The span says it all.
    Ok(MySqlConnectOptions::from_str(&settings.url)?.disable_statement_logging())
}

/// Adds a user and gives its id.
pub(crate) async fn insert_user(pool: &sql::Pool, name: &str, email: &str) -> sqlx::Result<i64> {
    let insert = sqlx::query(INSERT_USER).bind(name).bind(email);
    // MySQL has no `RETURNING`; the id comes with the answer. Its key is a BIGINT, so it fits.
    let id = insert.execute(pool).await?.last_insert_id();
    Ok(id.cast_signed())
}

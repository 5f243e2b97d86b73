//! MySQL or MariaDB, and all SQL text of the service.

use std::str::FromStr as _;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _,
    error::DatabaseError,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions},
};
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

pub(super) const STATEMENT_TIMEOUT_HELP: &str = "How long a statement may take; in MySQL, one that changes something: how long it may wait for a lock";

pub(super) fn options(settings: &Settings) -> sqlx::Result<MySqlConnectOptions> {
    // The span says it all.
    Ok(MySqlConnectOptions::from_str(&settings.url)?.disable_statement_logging())
}

pub(super) fn pool(settings: &Settings) -> MySqlPoolOptions {
    let limit = settings.statement_timeout;
    let (seconds, millis) = (limit.as_secs_f64(), limit.as_millis().max(1));
    let whole_seconds = seconds.ceil().max(1.0);
    // Each server reads what is meant for it: <https://mariadb.com/kb/en/comment-syntax/>.
    let limit = format!(
        "SET SESSION lock_wait_timeout = {whole_seconds}, innodb_lock_wait_timeout = {whole_seconds} \
         /*M! , max_statement_time = {seconds} */ /*!50708 , max_execution_time = {millis} */"
    );
    MySqlPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.timeout)
        .after_connect(move |connection, _| {
            let limit = limit.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(limit)).await.map(drop) })
        })
}

/// Whether the server gave up because it would have taken too long: `ER_LOCK_WAIT_TIMEOUT`, `ER_STATEMENT_TIMEOUT` of
/// MariaDB, `ER_QUERY_TIMEOUT` of MySQL.
pub(super) fn is_timeout(error: &(dyn DatabaseError + 'static)) -> bool {
    matches!(number(error), Some(1205 | 1969 | 3024))
}

/// Whether the server stops or has no room: `ER_CON_COUNT_ERROR`, `ER_SERVER_SHUTDOWN`, `ER_TOO_MANY_USER_CONNECTIONS`,
/// `ER_CONNECTION_KILLED`.
pub(super) fn is_away(error: &(dyn DatabaseError + 'static)) -> bool {
    matches!(number(error), Some(1040 | 1053 | 1203 | 1927))
}

fn number(error: &(dyn DatabaseError + 'static)) -> Option<u16> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.map(MySqlDatabaseError::number)
}

/// Adds a user and gives its id.
pub(crate) async fn insert_user(pool: &sql::Pool, name: &str, email: &str) -> sqlx::Result<i64> {
    let insert = sqlx::query(INSERT_USER).bind(name).bind(email);
    // MySQL has no `RETURNING`; the id comes with the answer. Its key is a BIGINT, so it fits.
    let id = insert.execute(pool).await?.last_insert_id();
    Ok(id.cast_signed())
}

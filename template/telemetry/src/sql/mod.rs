//! The database client: every statement is a CLIENT span and counts into `db.client.operation.duration`; the pool
//! reports its connections and how long they were waited for and used.
//! <https://opentelemetry.io/docs/specs/semconv/db/database-spans/>,
//! <https://opentelemetry.io/docs/specs/semconv/db/database-metrics/>
//!
//! [`Pool`] stands where `sqlx::Pool` would. `&pool`, `&mut connection` and `&mut transaction` are executors, so queries
//! are written as ever, with the placeholders of the database (`?` or `$1`):
//!
//! ```no_run
//! # async fn example(raw: sqlx::Pool<telemetry::sql::Driver>, id: i64) -> Result<(), sqlx::Error> {
//! let pool = telemetry::sql::Pool::new(raw, "main");
//! let name: Option<String> = sqlx::query_scalar("SELECT name FROM users WHERE id = ?")
//!     .bind(id)
//!     .fetch_optional(&pool)
//!     .await?;
//!
//! let mut transaction = pool.begin().await?;
//! sqlx::query("DELETE FROM users WHERE id = ?").bind(id).execute(&mut transaction).await?;
//! transaction.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A value never becomes part of a signal. Bound values are not looked at; text that binds none may hold literals, so
//! they are replaced; a database's error message may quote either, so only its code and class are recorded.
//!
//! Whatever goes to [`Pool::inner`] leaves no span: migrations, which need the raw pool, and readiness checks.

mod backend;
mod executor;
mod failure;
mod lease;
mod operation;
mod pool;
mod pool_metrics;
mod sanitize;
mod statement;
mod summary;
#[cfg(test)]
mod tests;
mod token;

pub use backend::Driver;
pub use lease::{Connection, Lease, Transaction};
pub use pool::Pool;

/// The instrumentation scope of all signals from here.
const SCOPE: &str = "telemetry.sql";

/// Where the database is: what its connection options tell without asking the server.
#[derive(Debug, Default)]
struct Endpoint {
    /// `db.namespace`
    namespace: Option<String>,
    /// `server.address`; none for a database inside this process.
    address: Option<String>,
    /// `server.port`, if it is not the database's default.
    port: Option<u16>,
}

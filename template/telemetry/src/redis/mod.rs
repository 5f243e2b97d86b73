//! The Redis client: every command is a CLIENT span and counts into `db.client.operation.duration`; so does every
//! pipeline and every transaction, as one. <https://opentelemetry.io/docs/specs/semconv/db/redis/>
//!
//! [`Connection`] stands where redis-rs' own connection would, and every command works on it as ever:
//!
//! ```no_run
//! # async fn example(id: i64) -> redis::RedisResult<()> {
//! use redis::AsyncCommands as _;
//!
//! let client = redis::Client::open("redis://127.0.0.1:6379")?;
//! let raw = client.get_multiplexed_async_connection().await?;
//! let mut connection = telemetry::redis::Connection::new(raw, client.get_connection_info());
//! let name: Option<String> = connection.hget(id, "name").await?;
//! # Ok(())
//! # }
//! ```
//!
//! A value never becomes part of a signal: of a command only its name and the number of its arguments are looked at, and
//! keys are arguments too. The server's error messages quote arguments, so only their codes are recorded.
//!
//! `db.namespace` is the database index that the connection was made with, whatever `SELECT` did to it since.

mod call;
mod failure;
mod kind;
mod operation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use opentelemetry::global;
use redis::{Cmd, ConnectionInfo, Pipeline, RedisFuture, Value, aio::ConnectionLike};

use failure::Failure;
pub use failure::error_type;
use operation::Operations;

use crate::{exception::said, guard};

/// The instrumentation scope of all signals from here.
const SCOPE: &str = "telemetry.redis";

/// A connection whose every use is measured. `C` is a `MultiplexedConnection` or a `ConnectionManager`; the time that it
/// takes to connect belongs to the command that waits for it.
#[derive(Debug, Clone)]
pub struct Connection<C> {
    raw: C,
    /// None when telemetry is off: then nothing stands between the caller and redis-rs.
    operations: Option<Arc<Operations>>,
}

impl<C> Connection<C> {
    /// Instruments `raw`, which was made with `info`.
    ///
    /// Takes tracer and instruments from telemetry's providers, so it must have been initialised before.
    #[must_use]
    pub fn new(raw: C, info: &ConnectionInfo) -> Self {
        let operations = guard::enabled()
            .then(|| Operations::new(guard::tracer(SCOPE), &global::meter(SCOPE), info));
        Self::with(raw, operations)
    }

    fn with(raw: C, operations: Option<Operations>) -> Self {
        said::know("redis", failure::discreet);
        let operations = operations.map(Arc::new);
        Self { raw, operations }
    }
}

impl<C: ConnectionLike + Send> ConnectionLike for Connection<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let Some(operations) = &self.operations else {
            return self.raw.req_packed_command(cmd);
        };
        let raw = &mut self.raw;
        Box::pin(async move {
            let mut operation = operations.start(operations.kinds.of(cmd));
            let result = raw.req_packed_command(cmd).await;
            let replies = result.as_ref().map(std::slice::from_ref);
            operation.answered(Failure::of(replies));
            result
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Some(operations) = &self.operations else {
            return self.raw.req_packed_commands(pipeline, offset, count);
        };
        let raw = &mut self.raw;
        Box::pin(async move {
            let mut operation = operations.start(operations.kinds.of_all(pipeline));
            let result = raw.req_packed_commands(pipeline, offset, count).await;
            operation.answered(Failure::of(result.as_deref()));
            result
        })
    }

    fn get_db(&self) -> i64 {
        self.raw.get_db()
    }
}

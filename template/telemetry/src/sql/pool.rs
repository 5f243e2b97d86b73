//! The pool that stands where `sqlx::Pool` would.

use std::sync::Arc;

use opentelemetry::{Context, global, metrics::Meter};
use opentelemetry_sdk::trace::Tracer;
use sqlx::{Error, SqlSafeStr, SqlStr};

use super::{
    Connection, Driver, Lease, SCOPE, Transaction, backend, failure::discreet,
    operation::Operations, pool_metrics::PoolMetrics,
};
use crate::{exception::said, guard};

/// A pool of connections whose every use is measured. Cloning it is cheap and gives the same pool.
#[derive(Debug, Clone)]
pub struct Pool {
    pub(super) shared: Arc<Shared>,
}

/// What a pool and the connections it lent have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) raw: sqlx::Pool<Driver>,
    /// False when telemetry is off: then nothing stands between the caller and sqlx.
    pub(super) records: bool,
    pub(super) operations: Operations,
    pub(super) metrics: PoolMetrics,
}

impl Pool {
    /// Instruments `raw`. `name` is its `db.client.connection.pool.name`: another one for each pool of the process.
    ///
    /// Takes tracer and instruments from telemetry's providers, so it must have been initialised before.
    #[must_use]
    pub fn new(raw: sqlx::Pool<Driver>, name: &'static str) -> Self {
        let (tracer, meter) = (guard::tracer(SCOPE), global::meter(SCOPE));
        Self::with(raw, name, guard::enabled(), tracer, &meter)
    }

    pub(super) fn with(
        raw: sqlx::Pool<Driver>,
        name: &'static str,
        records: bool,
        tracer: Option<Tracer>,
        meter: &Meter,
    ) -> Self {
        said::know("sql", discreet);
        let endpoint = backend::endpoint(&raw.connect_options());
        let shared = Arc::new(Shared {
            raw,
            records,
            operations: Operations::new(tracer, meter, endpoint),
            metrics: PoolMetrics::new(meter, name),
        });
        PoolMetrics::observe(meter, &Arc::downgrade(&shared));
        Self { shared }
    }

    /// The pool underneath, for work that shall leave no span: migrations, readiness checks.
    #[must_use]
    pub fn inner(&self) -> &sqlx::Pool<Driver> {
        &self.shared.raw
    }

    /// Takes a connection, for several statements in a row. `&mut connection` is an executor; dropping it gives it back.
    ///
    /// # Errors
    /// [`Error::PoolTimedOut`] when none became free in time, [`Error::PoolClosed`], or why none could be opened.
    pub async fn acquire(&self) -> Result<Connection, Error> {
        let waiting = self.shared.metrics.wait();
        let result = self.shared.raw.acquire().await;
        waiting.end(&result);
        Ok(Lease::new(result?, Arc::clone(&self.shared)))
    }

    /// Begins a transaction. `&mut transaction` is an executor; dropping it without a commit rolls back.
    ///
    /// # Errors
    /// As [`Self::acquire`], and what the database says to `BEGIN`.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.start_transaction(None).await
    }

    /// Begins a transaction with a statement of its own, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    /// As [`Self::begin`]; [`Error::BeginFailed`] if `statement` begins no transaction.
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> Result<Transaction, Error> {
        self.start_transaction(Some(statement.into_sql_str())).await
    }

    /// Closes the pool: waits until the connections that are in use came back. Nothing is reported of it afterwards.
    pub async fn close(&self) {
        self.shared.raw.close().await;
    }

    /// A span for `BEGIN`, and one for `COMMIT` or `ROLLBACK` later: the convention knows no span for a transaction as a
    /// whole, but these are statements like others. `BEGIN` is where a pool runs dry or a writer waits for the lock,
    /// `COMMIT` where data become durable and deferred constraints fail.
    async fn start_transaction(&self, statement: Option<SqlStr>) -> Result<Transaction, Error> {
        let text = statement.as_ref().map_or("BEGIN", SqlStr::as_str);
        let mut operation = self
            .shared
            .operations
            .start(text, false, &Context::current());
        let started = async { self.acquire().await?.begin(statement).await };
        started.await.inspect_err(|error| operation.fail(error))
    }
}

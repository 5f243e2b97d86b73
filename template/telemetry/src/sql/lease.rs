//! Connections on loan from the pool.

use std::{fmt, sync::Arc, time::Instant};

use opentelemetry::Context;
use sqlx::{Error, SqlStr, pool::PoolConnection};

use super::{Driver, pool::Shared};

/// A connection of the pool. `&mut connection` is an executor.
pub type Connection = Lease<PoolConnection<Driver>>;

/// A transaction. `&mut transaction` is an executor.
///
/// Dropped without [`commit`](Lease::commit) it rolls back. sqlx only notes that down and does it when the connection is
/// used next, or returns to the pool; hence no span tells of it.
pub type Transaction = Lease<sqlx::Transaction<'static, Driver>>;

/// Something on loan from the pool: a [`Connection`] or a [`Transaction`]. How long it was held is
/// `db.client.connection.use_time`.
pub struct Lease<C> {
    // Dropped first, so that the connection is back before its time of use ends.
    pub(super) raw: C,
    pub(super) term: Term,
}

/// The time of use.
pub(super) struct Term {
    pub(super) shared: Arc<Shared>,
    since: Instant,
}

impl Drop for Term {
    fn drop(&mut self) {
        self.shared.metrics.used(self.since.elapsed());
    }
}

impl<C> Lease<C> {
    pub(super) fn new(raw: C, shared: Arc<Shared>) -> Self {
        Self {
            raw,
            term: Term {
                shared,
                since: Instant::now(),
            },
        }
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) async fn begin(self, statement: Option<SqlStr>) -> Result<Transaction, Error> {
        let Self { raw, term } = self;
        // Hidden in sqlx's documentation, but its only way to begin on a connection that was taken before.
        let raw = sqlx::Transaction::begin(raw, statement).await?;
        Ok(Lease { raw, term })
    }
}

impl Transaction {
    /// Makes the changes durable.
    ///
    /// # Errors
    /// What the database says to `COMMIT`: a deferred constraint, a conflict with another transaction.
    pub async fn commit(self) -> Result<(), Error> {
        let mut operation = self
            .term
            .shared
            .operations
            .start("COMMIT", false, &Context::current());
        self.raw
            .commit()
            .await
            .inspect_err(|error| operation.fail(error))
    }

    /// Takes the changes back.
    ///
    /// # Errors
    /// What the database says to `ROLLBACK`.
    pub async fn rollback(self) -> Result<(), Error> {
        let mut operation =
            self.term
                .shared
                .operations
                .start("ROLLBACK", false, &Context::current());
        self.raw
            .rollback()
            .await
            .inspect_err(|error| operation.fail(error))
    }
}

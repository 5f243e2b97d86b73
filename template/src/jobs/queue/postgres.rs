//! The queue: apalis' schema in the service's own PostgreSQL database.

use std::{str::FromStr as _, time::Duration};

use anyhow::{Context as _, anyhow};
use apalis_core::task::task_id::TaskId;
use apalis_postgres::PostgresStorage;
use clap::Args;
use sqlx::{
    ConnectOptions as _, Executor as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{HEARTBEAT, MISSED_HEARTBEATS, NAME, Payload};
use crate::config::Config;

pub(super) type Storage = PostgresStorage<Payload>;

/// The connected queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    // Not the service's: a busy queue must not keep requests waiting for a connection. And not instrumented: workers ask
    // it all the time.
    pool: PgPool,
}

impl Queue {
    pub(super) async fn connect(config: &Config) -> anyhow::Result<Self> {
        let queue = Self::open(config).await?;
        if config.is_development() {
            queue.migrate().await?;
        } else {
            let present = sqlx::query("SELECT 1 FROM apalis.jobs LIMIT 1").execute(&queue.pool);
            // Here and below: what sqlx says quotes its causes, and a chain of errors would say them again.
            let missing = "the database has no queue; start this program with `migrate` once";
            present
                .await
                .map_err(|error| anyhow!("{missing}: {error}"))?;
        }
        Ok(queue)
    }

    async fn open(config: &Config) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(&config.db.url)
            .context("DATABASE_URL is not understood")?
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            // One for each worker, one to push, and one to spare.
            .max_connections(config.jobs.concurrency + 2)
            .acquire_timeout(config.db.timeout)
            // What the migrations of apalis find in place is no news, nor that a worker ended before its transaction began;
            // all of it would be logged.
            .after_connect(|connection, _| {
                let quiet = connection.execute("SET client_min_messages = error");
                Box::pin(async { quiet.await.map(drop) })
            });
        let pool = pool.connect_with(options).await.map_err(|error| {
            anyhow!("the queue in the database at DATABASE_URL cannot be opened: {error}")
        })?;
        Ok(Self { pool })
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // They keep their own account of what was done, in their own schema.
        let migrated = PostgresStorage::setup(&self.pool).await;
        migrated
            .map_err(|error| anyhow!("the queue's schema cannot be brought up to date: {error}"))
    }

    pub(super) fn storage(&self) -> Storage {
        let config = apalis_postgres::Config::default()
            .queue(NAME)
            // A worker that holds more jobs than it runs sends no heartbeat until it has begun the last of them.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            // To fetch a job locks it already.
            .lock_tasks(false);
        PostgresStorage::new(&self.pool).with_config(config)
    }

    /// When a job that is about to fail may be fetched again: not before `delay` is over.
    pub(super) async fn postpone(&self, id: &TaskId, delay: Duration) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE apalis.jobs SET run_at = now() + make_interval(secs => $1) WHERE id = $2",
        )
        .bind(delay.as_secs_f64())
        .bind(id.to_string())
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Gives back what a worker that runs no more has not finished.
    pub(super) async fn release(&self, worker: &str) -> sqlx::Result<u64> {
        let released = sqlx::query(
            "UPDATE apalis.jobs
             SET status = 'Pending', attempts = attempts + 1, lock_by = NULL, lock_at = NULL
             WHERE lock_by = $1 AND status IN ('Queued', 'Running')",
        );
        let released = released.bind(worker).execute(&self.pool).await?;
        Ok(released.rows_affected())
    }

    /// Forgets jobs that were done `keep` ago, and workers that are gone. Dead jobs stay until somebody looks at them.
    pub(super) async fn sweep(&self, keep: Duration) -> sqlx::Result<()> {
        sqlx::query(
            "DELETE FROM apalis.jobs
             WHERE status = 'Done' AND done_at < now() - make_interval(secs => $1)",
        )
        .bind(keep.as_secs_f64())
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "DELETE FROM apalis.workers WHERE last_seen < now() - make_interval(secs => $1)
             AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE jobs.lock_by = workers.id)",
        )
        .bind(keep.max(HEARTBEAT * 100).as_secs_f64())
        .execute(&self.pool)
        .await
        .map(drop)
    }

    pub(super) async fn close(self) {
        self.pool.close().await;
    }
}

/// Bring the schema of the database and of the queue in it up to date, then exit. At start this happens in development
/// only.
#[derive(Debug, Clone, Args)]
pub struct Migrate {}

impl Migrate {
    pub(crate) async fn run(&self, config: &Config) -> anyhow::Result<()> {
        crate::db::Migrate {}.run(config).await?;
        let queue = Queue::open(config).await?;
        queue.migrate().await?;
        queue.close().await;
        Ok(())
    }
}

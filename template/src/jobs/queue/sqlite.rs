//! The queue: tables of apalis in the service's own SQLite database, beside the service's.

use std::{
    str::FromStr as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use apalis_core::task::task_id::TaskId;
use apalis_sqlite::SqliteStorage;
use clap::Args;
use sqlx::{
    ConnectOptions as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{HEARTBEAT, MISSED_HEARTBEATS, NAME, Payload};
use crate::config::Config;

pub(super) type Storage = SqliteStorage<Payload>;

/// sqlx refuses migrations that it does not know, so those of the service and of apalis each have a table of their own.
const MIGRATIONS: &str = "_jobs_migrations";

/// The connected queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    // Not the service's: a busy queue must not keep requests waiting for a connection. And not instrumented: workers ask
    // it all the time.
    pool: SqlitePool,
}

impl Queue {
    pub(super) async fn connect(config: &Config) -> anyhow::Result<Self> {
        let queue = Self::open(config).await?;
        if config.is_development() {
            queue.migrate().await?;
        } else {
            let present = sqlx::query("SELECT 1 FROM Jobs LIMIT 1").execute(&queue.pool);
            // Here and below: what sqlx says quotes its causes, and a chain of errors would say them again.
            let missing = "the database has no queue; start this program with `migrate` once";
            present
                .await
                .map_err(|error| anyhow!("{missing}: {error}"))?;
        }
        Ok(queue)
    }

    async fn open(config: &Config) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(&config.db.url)
            .context("DATABASE_URL is not understood")?
            .journal_mode(SqliteJournalMode::Wal) // readers do not wait for the writer
            .busy_timeout(config.db.timeout)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            // One for each worker, one to push, and one to spare.
            .max_connections(config.jobs.concurrency + 2)
            .acquire_timeout(config.db.timeout);
        let pool = pool.connect_with(options).await.map_err(|error| {
            anyhow!("the queue in the database at DATABASE_URL cannot be opened: {error}")
        })?;
        Ok(Self { pool })
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // Not `SqliteStorage::setup`: it turns `synchronous` off, and with it durability.
        let mut migrations = SqliteStorage::migrations();
        migrations.dangerous_set_table_name(MIGRATIONS);
        let migrated = migrations.run(&self.pool).await;
        migrated
            .map_err(|error| anyhow!("the queue's schema cannot be brought up to date: {error}"))
    }

    pub(super) fn storage(&self) -> Storage {
        let config = apalis_sqlite::Config::default()
            .queue(NAME)
            // A worker that holds more jobs than it runs sends no heartbeat until it has begun the last of them.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            // To fetch a job locks it already.
            .lock_tasks(false);
        SqliteStorage::new(&self.pool).with_config(config)
    }

    /// When a job that is about to fail may be fetched again: not before `delay` is over.
    pub(super) async fn postpone(&self, id: &TaskId, delay: Duration) -> sqlx::Result<()> {
        sqlx::query("UPDATE Jobs SET run_at = ? WHERE id = ?")
            .bind(now() + seconds(delay))
            .bind(id.to_string())
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Gives back what a worker that runs no more has not finished.
    pub(super) async fn release(&self, worker: &str) -> sqlx::Result<u64> {
        let released = sqlx::query(
            "UPDATE Jobs SET status = 'Pending', attempts = attempts + 1, lock_by = NULL, lock_at = NULL
             WHERE lock_by = ? AND status IN ('Queued', 'Running')",
        );
        let released = released.bind(worker).execute(&self.pool).await?;
        Ok(released.rows_affected())
    }

    /// Forgets jobs that were done `keep` ago, and workers that are gone. Dead jobs stay until somebody looks at them.
    pub(super) async fn sweep(&self, keep: Duration) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM Jobs WHERE status = 'Done' AND done_at < ?")
            .bind(now() - seconds(keep))
            .execute(&self.pool)
            .await?;
        sqlx::query(
            "DELETE FROM Workers WHERE last_seen < ?
             AND NOT EXISTS (SELECT 1 FROM Jobs WHERE Jobs.lock_by = Workers.id)",
        )
        .bind(now() - seconds(keep.max(HEARTBEAT * 100)))
        .execute(&self.pool)
        .await
        .map(drop)
    }

    pub(super) async fn close(self) {
        self.pool.close().await;
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, seconds)
}

/// Upwards, so that nothing happens too early.
fn seconds(duration: Duration) -> i64 {
    duration.as_secs_f64().ceil() as i64
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

//! The queue: keys of apalis in the Redis that is the cache too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use apalis_core::task::task_id::TaskId;
use apalis_redis::RedisStorage;
use redis::{
    AsyncCommands as _, Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{HEARTBEAT, MISSED_HEARTBEATS, NAME, Payload};
use crate::config::Config;

pub(super) type Storage = RedisStorage<Payload>;

/// How long Redis may take to connect, and to answer. Longer than for the cache: a job that is not enqueued is lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// The connected queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    // Not instrumented: workers ask it all the time.
    connection: ConnectionManager,
    config: apalis_redis::Config,
}

impl Queue {
    /// Gets ready; the connection is made when it is needed, and again after an outage.
    pub(super) async fn connect(config: &Config) -> anyhow::Result<Self> {
        // The URL may hold a password, and the error would quote it.
        let client = Client::open(config.cache.url.as_str()).ok();
        let client = client.context("REDIS_URL is not understood")?;
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, settings)
                .context("the queue in Redis cannot be used")?,
            config: apalis_redis::Config::default()
                .queue(format!("{}{NAME}", config.cache.prefix))
                // A worker that holds more jobs than it runs sends no heartbeat until it has begun the last of them.
                .batch_size(1)
                .heartbeat_interval(HEARTBEAT)
                .missed_heartbeats(MISSED_HEARTBEATS)
                // To fetch a job locks it already.
                .lock_tasks(false)
                .emit_events(false),
        })
    }

    pub(super) fn storage(&self) -> Storage {
        RedisStorage::new(self.connection.clone()).with_config(self.config.clone())
    }

    /// When a job that is about to fail may be fetched again is apalis' own decision here: so many seconds later as it had
    /// attempts. It is written with the failure itself and overwrites what was written before.
    pub(super) async fn postpone(&self, _: &TaskId, _: Duration) -> RedisResult<()> {
        Ok(())
    }

    /// Gives back what a worker that runs no more has not finished.
    pub(super) async fn release(&self, worker: &str) -> RedisResult<u64> {
        let mut connection = self.connection.clone();
        let held = format!("{}:{worker}", self.config.inflight_jobs_set());
        let jobs: Vec<String> = connection.smembers(&held).await?;
        let mut release = redis::pipe();
        release.atomic();
        for job in &jobs {
            let about = format!("{}:{job}", self.config.job_meta_hash());
            release.hincr(about, "attempts", 1).ignore();
            release.rpush(self.config.active_jobs_list(), job).ignore();
        }
        release.del(&held).ignore();
        release.zrem(self.config.workers_set(), worker).ignore();
        let () = release.query_async(&mut connection).await?;
        Ok(jobs.len() as u64)
    }

    /// Forgets jobs that were done `keep` ago. Dead jobs stay until somebody looks at them.
    pub(super) async fn sweep(&self, keep: Duration) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let long_ago = now.unwrap_or_default().saturating_sub(keep).as_secs();
        let done = self.config.done_jobs_set();
        let mut cursor = 0_u64;
        loop {
            let (next, jobs): (u64, Vec<String>) = redis::cmd("SSCAN")
                .arg(&done)
                .arg(cursor)
                .query_async(&mut connection)
                .await?;
            for job in jobs {
                let about = format!("{}:{job}", self.config.job_meta_hash());
                let done_at: Option<u64> = connection.hget(&about, "done_at").await?;
                if done_at.is_none_or(|at| at < long_ago) {
                    let mut forget = redis::pipe();
                    forget.atomic().srem(&done, &job).ignore();
                    forget.hdel(self.config.job_data_hash(), &job).ignore();
                    forget.del(about).ignore();
                    let () = forget.query_async(&mut connection).await?;
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// The connection closes by itself.
    pub(super) async fn close(self) {}
}

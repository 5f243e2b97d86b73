//! Background jobs: what a request sets off and nobody waits for. A job is in the queue before its request is answered,
//! and from then on is tried until it succeeds or has used up its attempts, whatever becomes of this process: at least
//! once, hence each job must stand being run twice.

mod attempt;
mod pace;
pub mod queue;
mod quiet;
mod welcome;
mod worker;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use apalis_core::{
    backend::TaskSink as _,
    error::BoxDynError,
    task::{builder::TaskBuilder, metadata::MetadataStore, task_id::TaskId},
};
use clap::{ArgAction, Args, value_parser};
use telemetry::jobs::Destination;
use tokio::sync::Notify;

use crate::config::Config;
use queue::Queue;
use welcome::Welcome;

pub use worker::{Worker, serve, work};

/// The queue of the one kind of job. Another kind gets another queue: this names it in traces and metrics.
const NAME: &str = "welcome";

/// What the queue stores. A job that can no longer be read after a change of its type is a job that fails; if the queue
/// had to read it, it would take down the worker.
type Payload = serde_json::Value;

/// How often a worker says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// One that has been silent for so many of them is dead, and its jobs go to others.
const MISSED_HEARTBEATS: usize = 4;

/// Settings of background jobs.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Whether the service works on jobs itself. Otherwise start this program with `worker` as well.
    #[arg(id = "jobs_in_process", long = "jobs-in-process", env = "JOBS_IN_PROCESS", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub in_process: bool,

    /// How many jobs run at a time.
    #[arg(id = "jobs_concurrency", long = "jobs-concurrency", env = "JOBS_CONCURRENCY", value_name = "COUNT", default_value_t = 2, value_parser = value_parser!(u32).range(1..=100))]
    pub concurrency: u32,

    /// How often a job is tried before it is given up.
    #[arg(id = "jobs_max_attempts", long = "jobs-max-attempts", env = "JOBS_MAX_ATTEMPTS", value_name = "COUNT", default_value_t = 5, value_parser = value_parser!(u32).range(1..=MOST_ATTEMPTS))]
    pub max_attempts: u32,

    /// How long a job that failed waits for its next attempt; twice as long after each further one.
    #[arg(id = "jobs_backoff", long = "jobs-backoff", env = "JOBS_BACKOFF", value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    pub backoff: Duration,

    /// How long an attempt may take.
    #[arg(id = "jobs_timeout", long = "jobs-timeout", env = "JOBS_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// How long jobs that are done stay in the queue, to be looked at.
    #[arg(id = "jobs_keep", long = "jobs-keep", env = "JOBS_KEEP", value_name = "DURATION", default_value = "1d", value_parser = humantime::parse_duration)]
    pub keep: Duration,
}

/// Some queues of apalis know no larger limit.
const MOST_ATTEMPTS: i64 = 24;

/// The queue, for those who push to it.
#[derive(Debug, Clone)]
pub struct Jobs {
    queue: Queue,
    destination: Destination,
    /// Wakes the workers of this process, which would find a new job a moment later by themselves.
    pushed: Arc<Notify>,
}

/// The job could not be put into the queue, whichever kind of queue it is.
#[derive(Debug, thiserror::Error)]
#[error("the job could not be enqueued")]
struct EnqueueError(#[source] BoxDynError);

impl Jobs {
    /// Connects to the queue. In development its schema is brought up to date.
    ///
    /// # Errors
    /// When it cannot be reached, or has no schema yet.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            queue: Queue::connect(config).await.context("no queue for jobs")?,
            destination: Destination::new("apalis", NAME),
            pushed: Arc::default(),
        })
    }

    /// Sees to it that the user is welcomed. If that cannot be, it is on record, and no reason to take the user back.
    pub async fn welcome(&self, user_id: i64) {
        let job = Welcome { user_id };
        let id = TaskId::from_ulid(ulid::Ulid::generate());
        let push = async |headers| {
            let payload = serde_json::to_value(&job).map_err(|error| EnqueueError(error.into()))?;
            let task = TaskBuilder::new(payload)
                .task_id(id.clone())
                // The worker counts: its settings hold, not those of the day when the job was pushed.
                .max_attempts(MOST_ATTEMPTS as usize + 1)
                .with_metadata(MetadataStore::from_map(headers))
                .build();
            let pushed = self.queue.storage().push_task(task).await;
            pushed.map_err(|error| EnqueueError(error.into()))
        };
        // An error is on record.
        if self.destination.send(&id.to_string(), push).await.is_ok() {
            self.pushed.notify_waiters();
        }
    }

    /// Closes the connections to the queue.
    pub async fn close(self) {
        self.queue.close().await;
    }
}

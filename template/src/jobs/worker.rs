//! Working on jobs: beside the web server, or in a process of its own.

use std::time::Duration;

use apalis_core::{
    backend::ext::BackendExt as _,
    worker::{builder::WorkerBuilder, context::WorkerContext},
};
use clap::Args;
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};
use tower::limit::ConcurrencyLimitLayer;
use ulid::Ulid;

use super::{Jobs, attempt::Work, pace::Pace, quiet::Quiet};
use crate::{config::Config, state::AppState, stop::Stop};

/// Between two attempts to get a worker going whose queue is away.
const RECOVERY: Duration = Duration::from_secs(1);
/// Between two looks for what may be forgotten.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// Works on jobs beside the web server until `stop`, unless that is left to other processes.
///
/// # Errors
/// When a worker is lost.
pub async fn serve(config: &Config, state: AppState, stop: &Stop) -> anyhow::Result<()> {
    if config.jobs.in_process {
        return work(config, state, stop).await;
    }
    stop.told().await;
    Ok(())
}

/// Work on background jobs and serve no requests, until told to stop.
#[derive(Debug, Clone, Args)]
pub struct Worker {}

impl Worker {
    pub(crate) async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let stop = Stop::on_signal()?;
        let state = tokio::select! {
            state = AppState::connect(config) => state?,
            () = stop.told() => return Ok(()),
        };
        tracing::info!("working on jobs, {} at a time", config.jobs.concurrency);
        let worked = work(config, state.clone(), &stop).await;
        state.close().await;
        worked
    }
}

/// Works on jobs until `stop`, then finishes those that are running, as long as the shutdown timeout allows.
///
/// # Errors
/// When a worker is lost, which no failing job and no outage of the queue leads to.
pub async fn work(config: &Config, state: AppState, stop: &Stop) -> anyhow::Result<()> {
    let jobs = state.jobs.clone();
    let mut workers = JoinSet::new();
    let quiet = Quiet::default();
    // Each runs one job at a time: apalis would run several in one task, hence on one core, and hold acknowledgements
    // back while it does.
    for _ in 0..config.jobs.concurrency {
        let worker = Slot {
            work: Work::new(config, state.clone()),
            stop: stop.clone(),
            quiet: quiet.clone(),
            patience: config.server.shutdown_timeout,
        };
        workers.spawn(worker.run());
    }
    tokio::select! {
        () = stop.told() => {}
        () = sweep(&jobs, config.jobs.keep) => {}
        Some(Err(lost)) = workers.join_next() => return Err(lost.into()),
    }
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    Ok(())
}

async fn sweep(jobs: &Jobs, keep: Duration) {
    let mut times = interval(SWEEP);
    loop {
        times.tick().await;
        if let Err(error) = jobs.queue.sweep(keep).await {
            tracing::warn!(exception.message = %error, "the queue could not be tidied");
        }
    }
}

/// Room for one job at a time, which always has a worker.
struct Slot {
    work: Work,
    stop: Stop,
    quiet: Quiet,
    /// What a job may take to finish once the service stops.
    patience: Duration,
}

impl Slot {
    async fn run(self) {
        while !self.stop.is_told() {
            // Another name each time: its queue takes a worker that comes back under the same for one too many.
            let name = Ulid::generate().to_string();
            if let Err(error) = self.worker(&name).await
                && self.quiet.is_over()
            {
                tracing::warn!("a worker broke down and begins anew: {error}");
            }
            match self.work.jobs().queue.release(&name).await {
                Ok(0) => {}
                Ok(count) => tracing::warn!("{count} jobs that were not finished are given back"),
                Err(error) if !self.quiet.is_over() => drop(error),
                Err(error) => {
                    tracing::warn!(exception.message = %error, "jobs that were not finished wait until their worker counts as dead");
                }
            }
            tokio::select! {
                () = self.stop.told() => {}
                () = sleep(RECOVERY) => {}
            }
        }
    }

    /// Runs a worker until the stop, and until its job is finished or out of time.
    async fn worker(&self, name: &str) -> Result<(), apalis_core::error::WorkerError> {
        let work = self.work.clone();
        let worker = WorkerBuilder::new(WorkerContext::new(name))
            .backend(
                self.work
                    .jobs()
                    .queue
                    .storage()
                    .poll_with_strategy(Pace::new(self.work.jobs())),
            )
            .layer(ConcurrencyLimitLayer::new(1))
            .build(move |payload, id, attempt, headers| {
                work.clone().attempt(payload, id, attempt, headers)
            });
        let told = self.stop.told();
        let stopped = async move {
            told.await;
            Ok::<(), apalis_core::error::WorkerError>(())
        };
        let too_late = async {
            self.stop.told().await;
            sleep(self.patience).await;
        };
        tokio::select! {
            ended = worker.run_until(stopped) => ended,
            () = too_late => Ok(()),
        }
    }
}

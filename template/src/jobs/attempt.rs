//! One attempt at a job, and what becomes of the job when it fails.

use std::{any::type_name, panic::AssertUnwindSafe, time::Duration};

use apalis_core::{
    error::{AbortError, BoxDynError},
    task::{attempt::Attempt, metadata::MetadataStore, task_id::TaskId},
};
use futures_util::FutureExt as _;
use telemetry::jobs::{Delivery, Failed};
use tokio::time::{error::Elapsed, timeout};

use super::{Jobs, Payload, welcome::Welcome};
use crate::{config::Config, error::AppError, state::AppState};

/// What attempts need.
#[derive(Debug, Clone)]
pub(super) struct Work {
    state: AppState,
    max_attempts: usize,
    backoff: Duration,
    timeout: Duration,
}

/// Without what is wrong with it: that would quote the payload.
#[derive(Debug, thiserror::Error)]
#[error("the job's payload is not understood")]
struct Unreadable;

impl Work {
    pub(super) fn new(config: &Config, state: AppState) -> Self {
        Self {
            state,
            max_attempts: config.jobs.max_attempts as usize,
            backoff: config.jobs.backoff,
            timeout: config.jobs.timeout,
        }
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.state.jobs
    }

    /// Makes one attempt. The error tells apalis what to do with the job: an [`AbortError`] that it is dead, any other
    /// that it is to be tried again.
    pub(super) async fn attempt(
        self,
        payload: Payload,
        id: TaskId,
        attempt: Attempt,
        headers: MetadataStore,
    ) -> Result<(), BoxDynError> {
        let delivery = Delivery {
            id: &id.to_string(),
            attempt: attempt.current(),
            headers: headers.as_map(),
        };
        let processing = self.judged(delivery.attempt, self.tried(delivery.attempt, payload));
        let Err(failed) = self.jobs().destination.process(&delivery, processing).await else {
            return Ok(());
        };
        if delivery.attempt >= self.max_attempts {
            return Err(AbortError::new(failed).into());
        }
        let delay = self.delay(delivery.attempt);
        if let Err(error) = self.jobs().queue.postpone(&id, delay).await {
            tracing::warn!(exception.message = %error, "the job is tried again at once: its next attempt could not be put off");
        }
        Err(failed.into())
    }

    /// Runs the job; whatever goes wrong is on record when this returns.
    async fn tried(&self, attempt: usize, payload: Payload) -> Result<(), Failed> {
        if attempt > self.max_attempts {
            // The last attempt ended with its worker, so nobody could say that it was the last.
            return Err(Failed("worker_lost".into()));
        }
        let job: Welcome = serde_json::from_value(payload).map_err(|_| {
            telemetry::report_exception(type_name::<Unreadable>(), &Unreadable);
            Failed("unreadable".into())
        })?;
        guarded(self.timeout, job.run(&self.state)).await
    }

    /// Says what follows from a failure, in the trace of the attempt that failed.
    async fn judged(
        &self,
        attempt: usize,
        tried: impl Future<Output = Result<(), Failed>>,
    ) -> Result<(), Failed> {
        tried.await.inspect_err(|failed| {
            let error_type = failed.0.as_ref();
            if attempt < self.max_attempts {
                tracing::warn!(error.type = error_type, "the job failed and is tried again");
            } else {
                tracing::error!(error.type = error_type, "the job failed and is given up");
                self.jobs().destination.give_up();
            }
        })
    }

    /// How long the next attempt waits after this one.
    fn delay(&self, attempt: usize) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(2_u32.saturating_pow(doublings))
    }
}

/// Runs a job, as long as it may take; whatever goes wrong is on record when this returns.
async fn guarded(
    limit: Duration,
    job: impl Future<Output = Result<(), AppError>>,
) -> Result<(), Failed> {
    // A panic must not pass: apalis would take its job for one that still runs. The panic hook has recorded it.
    match AssertUnwindSafe(timeout(limit, job)).catch_unwind().await {
        Ok(Ok(result)) => Ok(result?),
        Ok(Err(elapsed)) => {
            telemetry::report_exception(type_name::<Elapsed>(), &elapsed);
            Err(Failed("timeout".into()))
        }
        Err(_) => Err(Failed("panic".into())),
    }
}

impl From<AppError> for Failed {
    /// The boundary: a failure that is not on record yet is recorded here, on the CONSUMER span.
    fn from(error: AppError) -> Self {
        match error {
            AppError::Failed(failure) => {
                if let Some(cause) = &failure.cause {
                    cause.report();
                }
                Self(failure.kind.into())
            }
            refused => {
                telemetry::report_exception(type_name::<AppError>(), &refused);
                Self("refused".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, future::pending};

    use telemetry::{jobs::Destination, testing::Trace};

    use super::*;

    /// The first attempt at this job, of which `expected` becomes.
    async fn attempt(job: impl Future<Output = Result<(), AppError>>, expected: &'static str) {
        let (trace, destination) = (Trace::new(), Destination::new("apalis", "test"));
        let headers = HashMap::from([("traceparent".to_owned(), trace.traceparent())]);
        let (id, headers) = ("1", &headers);
        let delivery = Delivery {
            id,
            attempt: 1,
            headers,
        };
        let job = guarded(Duration::from_millis(100), job);

        let attempted = destination.process(&delivery, job).await;

        assert_eq!(attempted, Err(Failed(expected.into())));
        let tree = format!("CONSUMER process test ERROR {expected}\n");
        assert_eq!(trace.tree().await, tree);
        // What a panic is put on record by, its hook, is not there in tests.
        let on_record = usize::from(expected != "panic");
        assert_eq!(trace.spans()[0].events.len(), on_record);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_an_attempt_that_failed() {
        attempt(async { panic!("boom") }, "panic").await;
    }

    #[tokio::test]
    async fn a_job_that_takes_too_long_is_an_attempt_that_failed() {
        attempt(pending(), "timeout").await;
    }
}

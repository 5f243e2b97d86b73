//! How spans and log records are gathered before they leave, and how often metrics are read.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#batch-span-processor>

use std::time::Duration;

use opentelemetry_sdk::{logs, trace};

use crate::env::Env;

/// How long one export may take, where nobody says anything.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the variables of a batch processor say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batching {
    delay: Duration,
    pub(crate) queue: usize,
    batch: usize,
    /// The SDK's processors on threads know no such limit: the exporter's wrapper keeps it. `None` is no limit.
    pub(crate) timeout: Option<Duration>,
}

impl Batching {
    pub(crate) fn of_spans(env: &mut Env) -> Self {
        Self::read(env, "OTEL_BSP", Duration::from_secs(5))
    }

    pub(crate) fn of_logs(env: &mut Env) -> Self {
        Self::read(env, "OTEL_BLRP", Duration::from_secs(1))
    }

    fn read(env: &mut Env, prefix: &str, delay: Duration) -> Self {
        let mut size = |name: &str, default: u32| {
            let size = env.number(&format!("{prefix}_{name}"), 1..);
            usize::try_from(size.unwrap_or(default)).unwrap_or(usize::MAX)
        };
        let queue = size("MAX_QUEUE_SIZE", 2048);
        let batch = size("MAX_EXPORT_BATCH_SIZE", 512);
        Self {
            delay: env.milliseconds(&format!("{prefix}_SCHEDULE_DELAY"), delay),
            queue,
            // A batch that is larger than the queue would never be full.
            batch: batch.min(queue),
            timeout: timeout(env, &format!("{prefix}_EXPORT_TIMEOUT")),
        }
    }

    pub(crate) fn spans(&self) -> trace::BatchConfig {
        trace::BatchConfigBuilder::default()
            .with_scheduled_delay(self.delay)
            .with_max_queue_size(self.queue)
            .with_max_export_batch_size(self.batch)
            .build()
    }

    pub(crate) fn logs(&self) -> logs::BatchConfig {
        logs::BatchConfigBuilder::default()
            .with_scheduled_delay(self.delay)
            .with_max_queue_size(self.queue)
            .with_max_export_batch_size(self.batch)
            .build()
    }
}

/// When metrics are read and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) interval: Duration,
    /// As [`Batching::timeout`].
    pub(crate) timeout: Option<Duration>,
}

impl Reading {
    pub(crate) fn of_metrics(env: &mut Env) -> Self {
        Self {
            interval: env.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", Duration::from_secs(60)),
            timeout: timeout(env, "OTEL_METRIC_EXPORT_TIMEOUT"),
        }
    }
}

/// Zero is no limit: <https://opentelemetry.io/docs/specs/otel/configuration/common/#timeout>.
fn timeout(env: &mut Env, name: &str) -> Option<Duration> {
    Some(env.milliseconds(name, TIMEOUT)).filter(|timeout| !timeout.is_zero())
}

#[cfg(test)]
mod tests;

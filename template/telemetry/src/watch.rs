//! Exporters whose results are seen: how long they take, what they lose, and that one which panics takes nothing along.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    logs::{LogBatch, LogExporter},
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{SpanData, SpanExporter},
};
use tokio::{runtime, time};

use crate::{
    health::{Failure, Health},
    rejected,
};

/// An exporter whose results go to [`Health`].
#[derive(Debug)]
pub(crate) struct Watched<E> {
    pub(crate) exporter: E,
    pub(crate) signal: &'static str,
    /// How long an export may take, its retries included.
    pub(crate) limit: Option<Duration>,
    /// Whose clock it is: the processors' threads have none.
    pub(crate) runtime: runtime::Handle,
    pub(crate) health: Arc<Health>,
}

impl<E> Watched<E> {
    /// Notes that so many left the queue for the exporter.
    pub(crate) fn taken(&self, items: usize) {
        if let Some(account) = self.health.account(self.signal) {
            account.taken(count(items));
        }
    }

    async fn watch(
        &self,
        items: usize,
        export: impl Future<Output = OTelSdkResult> + Send,
    ) -> OTelSdkResult {
        let items = count(items);
        let account = self.health.account(self.signal);
        rejected::take(); // of another signal's, if it was never asked for
        let (result, failure) = match self.limited(export).await {
            Some(result) => {
                let failure = result.as_ref().err().and_then(Failure::of);
                (result, failure)
            }
            // The panic hook has said where. The processor's thread goes on, and so does the next export.
            None => {
                let error = OTelSdkError::InternalFailure("the exporter panicked".to_owned());
                (Err(error), Some(Failure::Panic))
            }
        };
        let (rejected, reason) = rejected::take().unwrap_or_default();
        if let Some(account) = account {
            match (failure, &result) {
                (Some(failure), _) => account.failed(failure, items),
                (None, Err(_)) => {}
                (None, Ok(())) => {
                    let rejected = rejected.min(items);
                    account.failed(Failure::Rejected, rejected);
                    account.exported(items - rejected);
                }
            }
        }
        match &result {
            Ok(()) => self.health.succeeded(self.signal),
            Err(error) => self.health.failed(self.signal, error),
        }
        if result.is_ok() && (rejected > 0 || !reason.is_empty()) {
            self.health.rejected(self.signal, rejected, &reason);
        }
        result
    }

    /// The result, within the limit; `None` when the exporter panicked.
    async fn limited(
        &self,
        export: impl Future<Output = OTelSdkResult> + Send,
    ) -> Option<OTelSdkResult> {
        let export = unless_it_panics(export);
        let Some(limit) = self.limit else {
            return export.await;
        };
        let export = {
            let _entered = self.runtime.enter();
            time::timeout(limit, export)
        };
        let in_time = export.await;
        in_time.unwrap_or(Some(Err(OTelSdkError::Timeout(limit))))
    }
}

/// Nothing that a panicking exporter leaves behind is looked at: it is asked again with the next batch, or says itself
/// that it cannot go on.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

// An exporter may panic before it returns a future, so it is called within one.
impl<E: SpanExporter> Watched<E> {
    /// One of several that are [side by side](crate::side_by_side), which has called [`Self::taken`].
    pub(crate) async fn export_spans(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        self.watch(items, async { self.exporter.export(batch).await })
            .await
    }
}

impl<E: LogExporter> LogExporter for Watched<E> {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        let items = batch.iter().count();
        self.taken(items);
        self.watch(items, async { self.exporter.export(batch).await })
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        self.watch(0, async { self.exporter.export(metrics).await })
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }
    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
pub(crate) mod tests;

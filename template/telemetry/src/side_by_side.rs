//! Several exports of spans at a time: while the collector answers one the next can leave, and the queue does not fill up
//! meanwhile.
//!
//! Batches are handed over one after another, as the specification has it, which lets each end later:
//! <https://opentelemetry.io/docs/specs/otel/trace/sdk/#exportbatch>.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};

use crate::watch::Watched;

/// Each holds a batch in memory.
const MOST: usize = 4;

/// An exporter that a batch processor need not wait for. What becomes of each batch stands in the health.
#[derive(Debug)]
pub(crate) struct SideBySide<E> {
    exporter: Arc<Watched<E>>,
    under_way: Arc<UnderWay>,
}

impl<E> SideBySide<E> {
    pub(crate) fn new(exporter: Watched<E>) -> Self {
        Self {
            exporter: Arc::new(exporter),
            under_way: Arc::default(),
        }
    }

    pub(crate) fn under_way(&self) -> Arc<UnderWay> {
        self.under_way.clone()
    }
}

impl<E: SpanExporter + 'static> SpanExporter for SideBySide<E> {
    /// Blocks the processor's own thread while too many are under way.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.exporter.taken(batch.len());
        let export = Export::begin(&self.under_way);
        let exporter = self.exporter.clone();
        self.exporter.runtime.spawn(async move {
            let _ = exporter.export_spans(batch).await;
            drop(export);
        });
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let ended = self.under_way.wait(timeout);
        ended.and(self.exporter.exporter.shutdown_with_timeout(timeout))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.exporter.force_flush()
    }

    /// The SDK does this once, before anything is exported.
    fn set_resource(&mut self, resource: &Resource) {
        if let Some(watched) = Arc::get_mut(&mut self.exporter) {
            watched.exporter.set_resource(resource);
        }
    }
}

/// How many exports have begun and not ended.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    count: Mutex<usize>,
    one_less: Condvar,
}

impl UnderWay {
    /// Blocks until all have ended.
    ///
    /// # Errors
    /// They have not within `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> OTelSdkResult {
        let waited = self
            .one_less
            .wait_timeout_while(self.count(), limit, |count| *count > 0);
        let (count, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match *count {
            0 => Ok(()),
            _ => Err(OTelSdkError::Timeout(limit)),
        }
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is under way, until it is dropped: also when its runtime stops and drops it.
struct Export(Arc<UnderWay>);

impl Export {
    /// Blocks until there is room for one more.
    fn begin(under_way: &Arc<UnderWay>) -> Self {
        let count = under_way.count();
        let room = under_way.one_less.wait_while(count, |count| *count >= MOST);
        *room.unwrap_or_else(PoisonError::into_inner) += 1;
        Self(under_way.clone())
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.one_less.notify_all();
    }
}

#[cfg(test)]
mod tests;

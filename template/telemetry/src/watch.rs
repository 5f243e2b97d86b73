//! Exporters that say when they cannot deliver: once, then at most once a minute, whatever the SDK would print.
//!
//! <https://github.com/open-telemetry/opentelemetry-rust/issues/1281>: a missing collector must not flood the logs.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    logs::{LogBatch, LogExporter},
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{SpanData, SpanExporter},
};
use tokio::{runtime, time};

const QUIET: Duration = Duration::from_secs(60);

/// How export is going, for all signals together: one collector that is down costs one warning.
#[derive(Debug, Default)]
pub(crate) struct Health {
    endpoint: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The signals whose last export failed, and why.
    failing: BTreeMap<&'static str, String>,
    warned: Option<Instant>,
    /// Whether the last warning still holds.
    down: bool,
}

impl Health {
    pub(crate) fn of(endpoint: String) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            state: Mutex::default(),
        })
    }

    /// Notes that an export of `signal` went well.
    fn succeeded(&self, signal: &'static str) {
        let mut state = self.state();
        state.failing.remove(signal);
        if state.failing.is_empty() && std::mem::take(&mut state.down) {
            drop(state);
            tracing::info!(target: "telemetry", "telemetry reaches {} again", self.endpoint);
        }
    }

    /// Notes that an export of `signal`, or its end, failed.
    pub(crate) fn failed(&self, signal: &'static str, error: &OTelSdkError) {
        let mut state = self.state();
        state.failing.insert(signal, error.to_string());
        if state.warned.is_some_and(|at| at.elapsed() < QUIET) {
            return;
        }
        state.warned = Some(Instant::now());
        state.down = true;
        drop(state);
        tracing::warn!(
            target: "telemetry",
            "telemetry does not reach {} and is dropped; the service goes on without it ({error})",
            self.endpoint,
        );
    }

    /// Why the last export of `signal` failed, if it did.
    pub(crate) fn failure(&self, signal: &str) -> Option<String> {
        self.state().failing.get(signal).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    async fn watch(&self, export: impl Future<Output = OTelSdkResult> + Send) -> OTelSdkResult {
        let result = match self.limit {
            None => export.await,
            Some(limit) => {
                let export = {
                    let _entered = self.runtime.enter();
                    time::timeout(limit, export)
                };
                export.await.unwrap_or(Err(OTelSdkError::Timeout(limit)))
            }
        };
        match &result {
            Ok(()) => self.health.succeeded(self.signal),
            Err(error) => self.health.failed(self.signal, error),
        }
        result
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.watch(self.exporter.export(batch))
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Watched<E> {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        self.watch(self.exporter.export(batch))
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
        self.watch(self.exporter.export(metrics))
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

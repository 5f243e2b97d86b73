//! The door of a batch processor's queue. The SDK's processor drops what finds the queue full and tells nobody how much;
//! here it is counted, and the SDK's never gets more than it has room for.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, InstrumentationScope, logs::Severity};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord},
    trace::{Span, SpanData, SpanProcessor},
};

use crate::{health::Health, side_by_side::UnderWay};

/// As long as the SDK's processor waits for its own part of a flush.
const FLUSH: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Queue<P> {
    pub(crate) processor: P,
    pub(crate) signal: &'static str,
    /// That of the processor's queue.
    pub(crate) capacity: u64,
    pub(crate) health: Arc<Health>,
    /// What has left the queue and not arrived yet.
    pub(crate) under_way: Arc<UnderWay>,
}

impl<P> Queue<P> {
    fn admits(&self) -> bool {
        let account = self.health.account(self.signal);
        account.is_none_or(|account| account.admit(self.capacity))
    }
}

impl<P: SpanProcessor> SpanProcessor for Queue<P> {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        self.processor.on_start(span, parent);
    }
    fn on_end(&self, span: SpanData) {
        if self.admits() {
            self.processor.on_end(span);
        }
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()?;
        self.under_way.wait(FLUSH)
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

impl<P: LogProcessor> LogProcessor for Queue<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.admits() {
            self.processor.emit(record, scope);
        }
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }
    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.processor.event_enabled(level, target, name)
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

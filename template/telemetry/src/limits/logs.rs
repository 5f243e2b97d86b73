//! The number of attributes on log records, and the length of their values.

use std::time::Duration;

use opentelemetry::{
    InstrumentationScope,
    logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider},
};

use super::{Limits, cut};

/// Hands log records on with no more attributes than the limit, and no longer values.
#[derive(Debug)]
pub(crate) struct LimitedLogs<P> {
    inner: P,
    count: usize,
    value_length: Option<usize>,
    /// Only a logger makes records.
    empty: SdkLogRecord,
}

impl<P> LimitedLogs<P> {
    pub(crate) fn new(inner: P, limits: &Limits) -> Self {
        let logger = SdkLoggerProvider::builder().build().logger("");
        Self {
            inner,
            count: limits.log_attributes,
            value_length: limits.log_value_length,
            empty: logger.create_log_record(),
        }
    }

    fn is_within(&self, record: &SdkLogRecord) -> bool {
        let mut values = record.attributes_iter().map(|(_, value)| value);
        record.attributes_iter().count() <= self.count
            && self
                .value_length
                .is_none_or(|limit| values.all(|value| shortened(value, limit).is_none()))
    }

    /// A record's attributes can only be added to, so one with fewer is a new one.
    fn limited(&self, record: &SdkLogRecord) -> SdkLogRecord {
        let mut limited = self.empty.clone();
        if let Some(name) = record.event_name() {
            limited.set_event_name(name);
        }
        if let Some(target) = record.target() {
            limited.set_target(target.clone());
        }
        if let Some(time) = record.timestamp() {
            limited.set_timestamp(time);
        }
        if let Some(time) = record.observed_timestamp() {
            limited.set_observed_timestamp(time);
        }
        if let Some(text) = record.severity_text() {
            limited.set_severity_text(text);
        }
        if let Some(severity) = record.severity_number() {
            limited.set_severity_number(severity);
        }
        if let Some(body) = record.body() {
            limited.set_body(body.clone());
        }
        if let Some(context) = record.trace_context() {
            limited.set_trace_context(context.trace_id, context.span_id, context.trace_flags);
        }
        for (key, value) in record.attributes_iter().take(self.count) {
            let shortened = self.value_length.and_then(|limit| shortened(value, limit));
            limited.add_attribute(key.clone(), shortened.unwrap_or_else(|| value.clone()));
        }
        limited
    }
}

impl<P: LogProcessor> LogProcessor for LimitedLogs<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.is_within(record) {
            self.inner.emit(record, scope);
        } else {
            self.inner.emit(&mut self.limited(record), scope);
        }
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }
    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// The value as the limit wants it, if it is longer; what a list or a map holds is limited one by one.
fn shortened(value: &AnyValue, limit: usize) -> Option<AnyValue> {
    match value {
        AnyValue::String(text) => Some(cut(text.as_str(), limit)?.into()),
        AnyValue::Bytes(bytes) => {
            let kept = bytes.get(..limit).filter(|kept| kept.len() < bytes.len())?;
            Some(AnyValue::Bytes(Box::new(kept.to_vec())))
        }
        AnyValue::ListAny(values)
            if values.iter().any(|value| shortened(value, limit).is_some()) =>
        {
            let all = values
                .iter()
                .map(|value| shortened(value, limit).unwrap_or_else(|| value.clone()));
            Some(AnyValue::ListAny(Box::new(all.collect())))
        }
        AnyValue::Map(values)
            if values
                .values()
                .any(|value| shortened(value, limit).is_some()) =>
        {
            let all = values.iter().map(|(key, value)| {
                (
                    key.clone(),
                    shortened(value, limit).unwrap_or_else(|| value.clone()),
                )
            });
            Some(AnyValue::Map(Box::new(all.collect())))
        }
        _ => None,
    }
}

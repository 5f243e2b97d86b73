//! The session a request belongs to: from its `x-session-id` header onto every span and log record made for it.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    Context, InstrumentationScope, KeyValue, logs::LogRecord as _, trace::Span as _,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord},
    trace::{Span, SpanData, SpanProcessor},
};
use opentelemetry_semantic_conventions::attribute::SESSION_ID;

/// The request header that names the session.
pub(crate) const SESSION_HEADER: &str = "x-session-id";
const MAX_LENGTH: usize = 128;

/// A session id that is safe to record: 1 to 128 letters, digits, `.`, `_` and `-`. It comes from outside, so anything
/// else is ignored rather than cut or escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// The id in a header's value, if it is one.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        ((1..=MAX_LENGTH).contains(&value.len()) && value.bytes().all(allowed))
            .then(|| Self(Arc::from(value)))
    }

    /// The session of the work at hand.
    #[must_use]
    pub fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn attribute(&self) -> KeyValue {
        KeyValue::new(SESSION_ID, self.0.clone())
    }
}

/// Writes the session of the parent context onto each span as it starts, and hands it on.
#[derive(Debug)]
pub(crate) struct SessionOnSpans<P>(pub(crate) P);

impl<P: SpanProcessor> SpanProcessor for SessionOnSpans<P> {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        if let Some(session) = parent.get::<SessionId>() {
            span.set_attribute(session.attribute());
        }
        self.0.on_start(span, parent);
    }
    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Writes the current session onto each log record.
#[derive(Debug)]
pub(crate) struct SessionOnLogs;

impl LogProcessor for SessionOnLogs {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        if let Some(session) = SessionId::current() {
            record.add_attribute(SESSION_ID, session.as_str().to_owned());
        }
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_ids_and_ignores_hostile_ones() {
        for good in ["s-1", "2f6a.B_c", &"a".repeat(MAX_LENGTH)] {
            assert!(SessionId::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "a\nb",
            "é",
            "<script>",
            &"a".repeat(MAX_LENGTH + 1),
        ] {
            assert_eq!(SessionId::parse(bad), None, "{bad:?}");
        }
    }
}

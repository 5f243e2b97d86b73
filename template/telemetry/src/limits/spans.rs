//! The length of values on spans, their events and links.

use std::time::Duration;

use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

use super::cut;

/// Hands spans on with no value longer than the limit.
#[derive(Debug)]
pub(crate) struct LimitedSpans<P> {
    pub(crate) inner: P,
    pub(crate) value_length: Option<usize>,
}

impl<P: SpanProcessor> SpanProcessor for LimitedSpans<P> {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        self.inner.on_start(span, parent);
    }
    fn on_end(&self, span: SpanData) {
        match self.value_length {
            None => self.inner.on_end(span),
            Some(limit) => self.inner.on_end(shortened(span, limit)),
        }
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn shortened(mut span: SpanData, limit: usize) -> SpanData {
    let of_events = span.events.events.iter_mut();
    let of_events = of_events.flat_map(|event| &mut event.attributes);
    let of_links = span.links.links.iter_mut();
    let of_links = of_links.flat_map(|link| &mut link.attributes);
    for attribute in span.attributes.iter_mut().chain(of_events).chain(of_links) {
        shorten(attribute, limit);
    }
    span
}

fn shorten(attribute: &mut KeyValue, limit: usize) {
    let shorten = |text: &mut StringValue| {
        if let Some(short) = cut(text.as_str(), limit) {
            *text = short.into();
        }
    };
    match &mut attribute.value {
        Value::String(text) => shorten(text),
        Value::Array(Array::String(texts)) => texts.iter_mut().for_each(shorten),
        _ => {}
    }
}

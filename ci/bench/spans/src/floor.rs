//! A span with eight attributes by hand: what the SDK takes for it, and what its export takes.

use std::future::ready;
use std::time::Duration;

use opentelemetry::trace::{Span as _, SpanKind, Tracer, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};

use crate::{Form, Result, Work, repeat};

/// Wants nothing.
#[derive(Debug)]
struct Nowhere;

impl SpanProcessor for Nowhere {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, _: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

/// By the SDK, to a processor that does nothing.
pub(crate) async fn dropped(work: Work) -> Result<Duration> {
    let provider = SdkTracerProvider::builder().with_span_processor(Nowhere);
    spans(&provider.build().tracer("floor"), work).await
}

/// By the SDK, to its batch processor, whose exporter does nothing.
pub(crate) async fn queued(work: Work) -> Result<Duration> {
    let batches = BatchSpanProcessor::builder(Nowhere).build();
    let provider = SdkTracerProvider::builder().with_span_processor(batches);
    spans(&provider.build().tracer("floor"), work).await
}

/// By the telemetry of the service.
pub(crate) async fn exported(work: Work) -> Result<Duration> {
    spans(&telemetry::tracer("floor"), work).await
}

async fn spans<T: Tracer>(tracer: &T, work: Work) -> Result<Duration> {
    if work.form == Form::Bare {
        return Ok(repeat(work.count, ready).await);
    }
    let took = repeat(work.count, |number| {
        let mut attributes = Vec::with_capacity(8);
        attributes.extend([
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("http.route", "/users/{id}"),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("network.protocol.version", "1.1"),
            KeyValue::new("server.address", "127.0.0.1"),
            KeyValue::new("url.path", "/users/1".to_owned()),
            KeyValue::new("user_agent.original", "bench".to_owned()),
            KeyValue::new("http.response.status_code", 200),
        ]);
        let builder = tracer.span_builder("GET /users/{id}");
        let builder = builder.with_kind(SpanKind::Server);
        builder.with_attributes(attributes).start(tracer).end();
        ready(number)
    });
    Ok(took.await)
}

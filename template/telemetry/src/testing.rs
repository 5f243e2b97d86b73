//! Telemetry that tests can look at. Tests run side by side in one process, so each looks only at its own trace.
//!
//! ```no_run
//! # async fn send(_traceparent: String) {}
//! # async fn test() {
//! let trace = telemetry::testing::Trace::new();
//! send(trace.traceparent()).await;
//! assert_eq!(trace.tree(), "SERVER GET /healthz\n");
//! # }
//! ```

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceContextExt as _, TraceState},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::SdkLoggerProvider,
    metrics::SdkMeterProvider,
    trace::{
        IdGenerator as _, RandomIdGenerator, SdkTracerProvider, Span, SpanData, SpanProcessor,
    },
};
use tracing_subscriber::fmt::{TestWriter, writer::BoxMakeWriter};

use crate::{
    env::Env, guard, pipeline::Pipeline, propagation, session::SessionProcessor, settings::Settings,
};

type Spans = Arc<Mutex<HashMap<TraceId, Vec<SpanData>>>>;

// One pipeline for the process, as in the service itself.
static SPANS: LazyLock<Spans> = LazyLock::new(|| {
    guard::choose_crypto();
    let spans = Spans::default();
    let traces = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().build())
        .with_span_processor(SessionProcessor)
        .with_span_processor(Keep(spans.clone()))
        .build();
    let pipeline = Pipeline::of(
        traces,
        SdkMeterProvider::default(),
        SdkLoggerProvider::builder().build(),
    );
    let settings = Settings::read(&mut Env::new(|name| {
        (name == "TELEMETRY_LOG_FORMAT").then(|| "pretty".to_owned())
    }));
    let output = BoxMakeWriter::new(TestWriter::new()); // shown with the test that fails
    guard::start(Arc::new(pipeline), &settings, output)
        .expect("tests install no subscriber of their own");
    spans
});

#[derive(Debug)]
struct Keep(Spans);

impl SpanProcessor for Keep {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, span: SpanData) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans
            .entry(span.span_context.trace_id())
            .or_default()
            .push(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// One test's trace: the test is the remote caller whose `traceparent` the service continues.
#[derive(Debug)]
pub struct Trace {
    caller: SpanContext,
}

impl Trace {
    /// Begins a trace of its own, and collecting if it had not begun.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "each new trace differs from the last"
    )]
    pub fn new() -> Self {
        LazyLock::force(&SPANS);
        let ids = RandomIdGenerator::default();
        let (trace, span) = (ids.new_trace_id(), ids.new_span_id());
        Self {
            caller: SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE),
        }
    }

    /// The header to send.
    #[must_use]
    pub fn traceparent(&self) -> String {
        propagation::trace_parent(&self.caller)
    }

    /// The trace's id, as error bodies and logs show it.
    #[must_use]
    pub fn id(&self) -> String {
        self.caller.trace_id().to_string()
    }

    /// A context inside this trace, for code that is not called over HTTP.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new().with_remote_span_context(self.caller.clone())
    }

    /// The trace's finished spans, in the order they ended.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        let spans = SPANS.lock().unwrap_or_else(PoisonError::into_inner);
        spans
            .get(&self.caller.trace_id())
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until a span of this name has ended, and gives it.
    ///
    /// # Panics
    /// When none has after five seconds.
    pub async fn span(&self, name: &str) -> SpanData {
        for _ in 0..500 {
            if let Some(span) = self.spans().into_iter().find(|span| span.name == name) {
                return span;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no span `{name}` has ended; the trace is\n{}", self.tree());
    }

    /// The trace as text, one span a line, children indented and in the order they began: `KIND name`, then `ERROR`
    /// and `error.type` where it failed.
    #[must_use]
    pub fn tree(&self) -> String {
        let mut spans = self.spans();
        spans.sort_by_key(|span| span.start_time);
        let mut text = String::new();
        branch(&spans, self.caller.span_id(), 0, &mut text);
        text
    }
}

fn branch(spans: &[SpanData], parent: SpanId, depth: usize, text: &mut String) {
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        let kind = match span.span_kind {
            SpanKind::Client => "CLIENT",
            SpanKind::Server => "SERVER",
            SpanKind::Producer => "PRODUCER",
            SpanKind::Consumer => "CONSUMER",
            SpanKind::Internal => "INTERNAL",
        };
        let _ = write!(
            text,
            "{:indent$}{kind} {}",
            "",
            span.name,
            indent = depth * 2
        );
        if matches!(span.status, Status::Error { .. }) {
            let _ = write!(
                text,
                " ERROR {}",
                attribute(span, "error.type").unwrap_or_default()
            );
        }
        text.push('\n');
        branch(spans, span.span_context.span_id(), depth + 1, text);
    }
}

/// A span's attribute as text.
#[must_use]
pub fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.to_string())
}

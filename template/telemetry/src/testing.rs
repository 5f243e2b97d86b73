//! Telemetry that tests can look at. Tests run side by side in one process, so each looks only at its own trace.
//!
//! ```no_run
//! # async fn send(_traceparent: String) {}
//! # async fn test() {
//! let trace = telemetry::testing::Trace::new();
//! send(trace.traceparent()).await;
//! assert_eq!(trace.tree().await, "SERVER GET /users/{id}\n");
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
    trace::{Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState},
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
use tokio::sync::watch;
use tracing_subscriber::fmt::{TestWriter, writer::BoxMakeWriter};

use crate::{
    env::Env, guard, pipeline::Pipeline, propagation::trace_parent::TraceParent,
    session::SessionOnSpans, settings::Settings,
};

/// The traces so far, and a signal at each change, so that waiting needs no polling.
#[derive(Debug, Default)]
struct Collected {
    traces: Mutex<HashMap<TraceId, Spans>>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default, Clone)]
struct Spans {
    running: usize,
    ended: Vec<SpanData>,
}

impl Collected {
    fn change(&self, trace: TraceId, change: impl FnOnce(&mut Spans)) {
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        change(traces.entry(trace).or_default());
        drop(traces);
        self.changed.send_replace(());
    }

    fn all(&self) -> Vec<SpanData> {
        let traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = traces.values().flat_map(|spans| &spans.ended);
        ended.cloned().collect()
    }

    fn of(&self, trace: TraceId) -> Spans {
        let traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        traces.get(&trace).cloned().unwrap_or_default()
    }
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

// One pipeline for the process, as in the service itself.
static COLLECTED: LazyLock<Arc<Collected>> = LazyLock::new(|| {
    guard::choose_crypto();
    let collected = Arc::<Collected>::default();
    let traces = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().build())
        .with_span_processor(SessionOnSpans(Keep(collected.clone())))
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
    collected
});

#[derive(Debug)]
struct Keep(Arc<Collected>);

impl SpanProcessor for Keep {
    fn on_start(&self, span: &mut Span, _: &Context) {
        let trace = span.span_context().trace_id();
        self.0.change(trace, |spans| spans.running += 1);
    }
    fn on_end(&self, span: SpanData) {
        self.0.change(span.span_context.trace_id(), |spans| {
            spans.running -= 1;
            spans.ended.push(span);
        });
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
        LazyLock::force(&COLLECTED);
        let ids = RandomIdGenerator::default();
        let (trace, span) = (ids.new_trace_id(), ids.new_span_id());
        Self {
            caller: SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE),
        }
    }

    /// The header to send.
    #[must_use]
    pub fn traceparent(&self) -> String {
        TraceParent::of(&self.caller).to_string()
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

    /// The spans that have ended so far, in that order.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        COLLECTED.of(self.caller.trace_id()).ended
    }

    /// Waits until a span of this name has ended, and gives it.
    ///
    /// # Panics
    /// When none has in time.
    pub async fn span(&self, name: &str) -> SpanData {
        let found = |spans: &Spans| spans.ended.iter().find(|span| span.name == name).cloned();
        self.wait(&format!("the span `{name}`"), found).await
    }

    /// Waits until a span that begins a trace of its own and is linked to this one has ended, and gives it: the retry of a
    /// job.
    ///
    /// # Panics
    /// When none has in time.
    pub async fn linked(&self) -> SpanData {
        let ours = self.caller.trace_id();
        let is_linked = |span: &&SpanData| {
            let mut links = span.links.iter();
            links.any(|link| link.span_context.trace_id() == ours)
        };
        let found = |_: &Spans| COLLECTED.all().iter().find(is_linked).cloned();
        self.wait("a span that is linked to the trace", found).await
    }

    /// Waits until every span that has begun has ended, and shows the trace, one span a line, children indented and in
    /// the order they began: `KIND name`, then `ERROR` and `error.type` where it failed.
    ///
    /// A span of `tracing` may outlive its function: sqlx's SQLite keeps it until its worker thread has finished.
    ///
    /// # Panics
    /// When no span has ended in time, or one still runs.
    pub async fn tree(&self) -> String {
        let done = |spans: &Spans| {
            (spans.running == 0 && !spans.ended.is_empty()).then(|| self.draw(spans))
        };
        self.wait("the trace's end", done).await
    }

    async fn wait<T>(&self, what: &str, ready: impl Fn(&Spans) -> Option<T>) -> T {
        let mut changed = COLLECTED.changed.subscribe();
        let wait = async {
            loop {
                if let Some(ready) = ready(&COLLECTED.of(self.caller.trace_id())) {
                    return ready;
                }
                // Fails when the sender is gone, and it is static.
                let _ = changed.changed().await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(ready) => ready,
            Err(_) => {
                let spans = COLLECTED.of(self.caller.trace_id());
                let (running, tree) = (spans.running, self.draw(&spans));
                panic!("waited {PATIENCE:?} for {what}; {running} spans run; ended are\n{tree}")
            }
        }
    }

    fn draw(&self, spans: &Spans) -> String {
        let mut spans = spans.ended.clone();
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

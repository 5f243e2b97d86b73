//! Providers and exporters: from what was recorded to what leaves the process.

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    logs::SdkLoggerProvider,
    metrics::SdkMeterProvider,
    trace::{SdkTracerProvider, Tracer},
};
use tokio::runtime;

use crate::{
    console,
    env::{Env, Protocol, Settings, Signal},
    session::SessionProcessor,
    watch::{Health, Watched},
};

/// The three providers and the runtime their exporters send on.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    logs: Option<SdkLoggerProvider>,
    destinations: String,
    health: Arc<Health>,
    // The exporters' own thread and runtime: no service, however busy or single-threaded, can starve export, and export
    // cannot slow a request.
    runtime: Mutex<Option<runtime::Runtime>>,
    ended: AtomicBool,
}

impl Pipeline {
    /// # Errors
    /// When the exporters' thread cannot be started. An exporter that cannot be built is warned about and left out.
    pub(crate) fn build(
        settings: &Settings,
        resource: &Resource,
        env: &mut Env,
    ) -> std::io::Result<Self> {
        if !settings.enabled {
            return Ok(Self {
                destinations: "disabled".to_owned(),
                ..Self::default()
            });
        }
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp-export")
            .enable_all()
            .build()?;
        let health = Health::of(endpoint(env));
        let transport = Transport {
            runtime: runtime.handle().clone(),
            timeout: env.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", Duration::from_secs(10)),
            health: health.clone(),
        };
        let entered = runtime.enter(); // a gRPC channel starts its task on the runtime it is built in
        let pipeline = Self {
            traces: traces(settings.traces, resource, &transport, env),
            metrics: metrics(settings.metrics, resource, &transport, env),
            logs: logs(settings.logs, resource, &transport, env),
            destinations: destinations(settings, env),
            health,
            ..Self::default()
        };
        drop(entered);
        *pipeline
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(runtime);
        Ok(pipeline)
    }

    /// For tests: spans and logs go to processors of the caller's, metrics to its reader.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn of(
        traces: SdkTracerProvider,
        metrics: SdkMeterProvider,
        logs: SdkLoggerProvider,
    ) -> Self {
        Self {
            traces: Some(traces),
            metrics: Some(metrics),
            logs: Some(logs),
            ..Self::default()
        }
    }

    pub(crate) fn traces(&self) -> Option<&SdkTracerProvider> {
        self.traces.as_ref()
    }
    pub(crate) fn metrics(&self) -> Option<&SdkMeterProvider> {
        self.metrics.as_ref()
    }
    pub(crate) fn logger(&self) -> Option<&SdkLoggerProvider> {
        self.logs.as_ref()
    }
    pub(crate) fn tracer(&self) -> Option<Tracer> {
        self.traces.as_ref().map(|traces| traces.tracer("tracing"))
    }
    pub(crate) fn records(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some()
    }
    pub(crate) fn destinations(&self) -> String {
        self.destinations.clone()
    }

    /// Flushes and ends all signals side by side, blocking for `deadline` at most. A second call does nothing.
    pub(crate) fn shutdown(&self, deadline: Duration) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut shutdowns: Vec<Box<dyn FnOnce() -> OTelSdkResult + Send>> = Vec::new();
        if let Some(traces) = self.traces.clone() {
            shutdowns.push(Box::new(move || traces.shutdown_with_timeout(deadline)));
        }
        if let Some(metrics) = self.metrics.clone() {
            shutdowns.push(Box::new(move || metrics.shutdown_with_timeout(deadline)));
        }
        if let Some(logs) = self.logs.clone() {
            shutdowns.push(Box::new(move || logs.shutdown_with_timeout(deadline)));
        }
        let until = Instant::now() + deadline;
        let waiting = shutdowns.len();
        let (done, results) = mpsc::channel();
        for shutdown in shutdowns {
            let done = done.clone();
            thread::spawn(move || done.send(shutdown()));
        }
        for _ in 0..waiting {
            let left = until.saturating_duration_since(Instant::now());
            let result = results.recv_timeout(left);
            let too_late = result.is_err();
            self.health
                .note(&result.unwrap_or(Err(OTelSdkError::Timeout(deadline))));
            if too_late {
                break;
            }
        }
        if let Some(runtime) = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            runtime.shutdown_background(); // dropping it would wait, and may not happen inside another runtime
        }
    }
}

fn traces(
    signal: Signal,
    resource: &Resource,
    transport: &Transport,
    env: &mut Env,
) -> Option<SdkTracerProvider> {
    let otlp = signal.otlp.and_then(|protocol| {
        transport.exporter("traces", env, |transport| match protocol {
            Protocol::Grpc => SpanExporter::builder().with_tonic().build(),
            Protocol::HttpProtobuf => SpanExporter::builder()
                .with_http()
                .with_http_client(transport.http()?)
                .build(),
        })
    });
    if otlp.is_none() && !signal.console {
        return None;
    }
    let mut provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(SessionProcessor);
    if let Some(exporter) = otlp {
        provider = provider.with_batch_exporter(exporter);
    }
    if signal.console {
        provider = provider.with_span_processor(console::TraceTree::stdout());
    }
    Some(provider.build())
}

fn metrics(
    signal: Signal,
    resource: &Resource,
    transport: &Transport,
    env: &mut Env,
) -> Option<SdkMeterProvider> {
    let otlp = signal.otlp.and_then(|protocol| {
        transport.exporter("metrics", env, |transport| match protocol {
            Protocol::Grpc => MetricExporter::builder().with_tonic().build(),
            Protocol::HttpProtobuf => MetricExporter::builder()
                .with_http()
                .with_http_client(transport.http()?)
                .build(),
        })
    });
    if otlp.is_none() && !signal.console {
        return None;
    }
    let mut provider = SdkMeterProvider::builder().with_resource(resource.clone());
    if let Some(exporter) = otlp {
        provider = provider.with_periodic_exporter(exporter);
    }
    if signal.console {
        provider = provider.with_periodic_exporter(console::MetricLines);
    }
    Some(provider.build())
}

fn logs(
    signal: Signal,
    resource: &Resource,
    transport: &Transport,
    env: &mut Env,
) -> Option<SdkLoggerProvider> {
    // `console` needs nothing here: the console shows logs in any case.
    let exporter = signal.otlp.and_then(|protocol| {
        transport.exporter("logs", env, |transport| match protocol {
            Protocol::Grpc => LogExporter::builder().with_tonic().build(),
            Protocol::HttpProtobuf => LogExporter::builder()
                .with_http()
                .with_http_client(transport.http()?)
                .build(),
        })
    })?;
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_log_processor(SessionProcessor)
        .with_log_processor(crate::logs::EventNames)
        .with_batch_exporter(exporter);
    Some(provider.build())
}

/// What OTLP exporters send with.
struct Transport {
    runtime: runtime::Handle,
    timeout: Duration,
    health: Arc<Health>,
}

impl Transport {
    /// An exporter whose failures are watched. One that cannot be built, say for a malformed endpoint, leaves its
    /// signal unexported and the service running.
    fn exporter<E>(
        &self,
        signal: &str,
        env: &mut Env,
        build: impl FnOnce(&Self) -> Result<E, ExporterBuildError>,
    ) -> Option<Watched<E>> {
        match build(self) {
            Ok(exporter) => Some(Watched {
                exporter,
                health: self.health.clone(),
            }),
            Err(error) => {
                env.warnings
                    .push(format!("{signal} are not exported: {error}"));
                None
            }
        }
    }

    fn http(&self) -> Result<OwnRuntimeClient, ExporterBuildError> {
        // The exporter's own limit ends its retries, not an answer that never comes.
        let client = reqwest::Client::builder().timeout(self.timeout).build();
        let client =
            client.map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        Ok(OwnRuntimeClient {
            client,
            runtime: self.runtime.clone(),
        })
    }
}

/// An HTTP client that works for the batch processors' plain threads, which have no reactor of their own.
#[derive(Debug)]
struct OwnRuntimeClient {
    client: reqwest::Client,
    runtime: runtime::Handle,
}

#[async_trait::async_trait]
impl HttpClient for OwnRuntimeClient {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime
            .spawn(async move { client.send_bytes(request).await })
            .await?
    }
}

fn endpoint(env: &Env) -> String {
    env.get("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| {
        match env.get("OTEL_EXPORTER_OTLP_PROTOCOL").as_deref() {
            Some("http/protobuf") => "http://localhost:4318".to_owned(),
            _ => "http://localhost:4317".to_owned(),
        }
    })
}

fn destinations(settings: &Settings, env: &Env) -> String {
    let otlp = format!("OTLP {}", endpoint(env));
    let of = |name: &str, signal: Signal| {
        let to = match (signal.otlp.is_some(), signal.console) {
            (true, true) => format!("{otlp} and console"),
            (true, false) => otlp.clone(),
            (false, true) => "console".to_owned(),
            (false, false) => "off".to_owned(),
        };
        format!("{name} {to}")
    };
    [
        of("traces", settings.traces),
        of("metrics", settings.metrics),
        of("logs", settings.logs),
    ]
    .join(", ")
}

//! Providers and exporters: from what was recorded to what leaves the process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{LogExporter, MetricExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    logs::{BatchLogProcessor, SdkLoggerProvider},
    metrics::{Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream},
    trace::{BatchSpanProcessor, SdkTracerProvider, SpanProcessor, Tracer},
};

use crate::{
    batching::{Batching, Reading},
    console,
    env::Env,
    export,
    health::Health,
    limits::{LimitedLogs, LimitedSpans, Limits},
    marks::Rule,
    outputs::Outputs,
    page::Page,
    queue::Queue,
    sampler,
    session::{SessionOnLogs, SessionOnSpans},
    settings::{Protocol, Settings, Signal},
    side_by_side::SideBySide,
    transport::{ExportRuntime, Transport, endpoint},
};

/// The three providers and the runtime their exporters send on.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    logs: Option<SdkLoggerProvider>,
    destinations: String,
    health: Arc<Health>,
    runtime: ExportRuntime,
    ended: AtomicBool,
}

impl Pipeline {
    /// # Errors
    /// When the exporters' thread cannot be started. An exporter that cannot be built is warned about and left out.
    pub(crate) fn build(
        settings: &Settings,
        resource: &Resource,
        page: &Page,
        env: &mut Env,
    ) -> std::io::Result<Self> {
        if !settings.enabled {
            return Ok(Self {
                destinations: "disabled".to_owned(),
                ..Self::default()
            });
        }
        let (runtime, handle) = ExportRuntime::start()?;
        // Warnings name one place, and something must be sent there.
        let signals = [
            ("TRACES", settings.traces),
            ("METRICS", settings.metrics),
            ("LOGS", settings.logs),
        ];
        let (signal, protocol) = signals
            .into_iter()
            .find_map(|(name, signal)| Some((name, signal.otlp?)))
            .unwrap_or(("TRACES", Protocol::Grpc));
        let health = Health::of(endpoint(env, signal, protocol));
        let transport = Transport {
            runtime: handle,
            health: health.clone(),
        };
        let _entered = transport.runtime.enter(); // a gRPC channel starts its task on the runtime it is built in
        Ok(Self {
            traces: traces(settings.traces, resource, page, &transport, env),
            metrics: metrics(settings.metrics, resource, &transport, env),
            logs: logs(settings.logs, resource, page, &transport, env),
            destinations: destinations(settings, page, env),
            health,
            runtime,
            ended: AtomicBool::new(false),
        })
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
    pub(crate) fn health(&self) -> &Arc<Health> {
        &self.health
    }
    pub(crate) fn destinations(&self) -> String {
        self.destinations.clone()
    }

    /// Why the last export of `signal` failed, if it did.
    pub(crate) fn failure(&self, signal: &str) -> Option<String> {
        self.health.failure(signal)
    }

    /// Sends what waits of all signals side by side, blocking as long as the SDK allows. What fails stands in the health.
    pub(crate) fn flush(&self) {
        thread::scope(|scope| {
            scope.spawn(|| self.traces.as_ref().map(SdkTracerProvider::force_flush));
            scope.spawn(|| self.metrics.as_ref().map(SdkMeterProvider::force_flush));
            scope.spawn(|| self.logs.as_ref().map(SdkLoggerProvider::force_flush));
        });
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
        let mut waiting = 0;
        let (done, results) = mpsc::channel();
        for shutdown in shutdowns {
            let done = done.clone();
            let thread = thread::Builder::new().spawn(move || done.send(shutdown()));
            waiting += usize::from(thread.is_ok()); // else what is left is unsent, and counted as that
        }
        for _ in 0..waiting {
            let left = until.saturating_duration_since(Instant::now());
            let result = results.recv_timeout(left);
            let too_late = result.is_err();
            // Only failures: a provider also ends well whose last export did not.
            if let Err(error) = result.unwrap_or(Err(OTelSdkError::Timeout(deadline))) {
                self.health.failed("the end", &error);
            }
            if too_late {
                break;
            }
        }
        self.runtime.stop();
        self.health.ended();
    }
}

fn traces(
    signal: Signal,
    resource: &Resource,
    page: &Page,
    transport: &Transport,
    env: &mut Env,
) -> Option<SdkTracerProvider> {
    let limits = Limits::read(env);
    let rule = Rule::read(env);
    let batching = Batching::of_spans(env);
    let sampler = sampler::read(env);
    sampler::apply(&sampler);
    let otlp = signal.otlp.and_then(|protocol| {
        transport.exporter("traces", batching.timeout, env, |to, env| {
            export::spans(protocol, to, env)
        })
    });
    if otlp.is_none() && !signal.console && page.url().is_none() {
        return None;
    }
    let mut outputs: Vec<Box<dyn SpanProcessor>> = Vec::new();
    if let Some(exporter) = otlp {
        let exporter = SideBySide::new(exporter);
        let under_way = exporter.under_way();
        let batches = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batching.spans())
            .build();
        let queue = queue("traces", batches, &batching, transport);
        outputs.push(Box::new(Queue { under_way, ..queue }));
    }
    if signal.console {
        outputs.push(Box::new(console::TraceTree::stdout(rule, page.url())));
    }
    outputs.extend(page.spans());
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_sampler(sampler)
        .with_span_limits(limits.spans)
        .with_span_processor(SessionOnSpans(LimitedSpans {
            inner: Outputs(outputs),
            value_length: limits.span_value_length,
        }));
    Some(provider.build())
}

fn metrics(
    signal: Signal,
    resource: &Resource,
    transport: &Transport,
    env: &mut Env,
) -> Option<SdkMeterProvider> {
    let reading = Reading::of_metrics(env);
    let histograms = env.words(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        &[
            "explicit_bucket_histogram",
            "base2_exponential_bucket_histogram",
        ],
        "explicit_bucket_histogram",
    );
    let otlp = signal.otlp.and_then(|protocol| {
        transport.exporter("metrics", reading.timeout, env, |to, _| match protocol {
            Protocol::Grpc => to.secured(MetricExporter::builder().with_tonic()).build(),
            Protocol::HttpProtobuf => MetricExporter::builder()
                .with_http()
                .with_http_client(to.http()?)
                .build(),
        })
    });
    if otlp.is_none() && !signal.console {
        return None;
    }
    let mut provider = SdkMeterProvider::builder().with_resource(resource.clone());
    if histograms.contains(&"base2_exponential_bucket_histogram") {
        provider = provider.with_view(exponential);
    }
    if let Some(exporter) = otlp {
        let reader = PeriodicReader::builder(exporter).with_interval(reading.interval);
        provider = provider.with_reader(reader.build());
    }
    if signal.console {
        let reader = PeriodicReader::builder(console::MetricLines).with_interval(reading.interval);
        provider = provider.with_reader(reader.build());
    }
    Some(provider.build())
}

/// Buckets that fit themselves to what is measured, as many and as fine as
/// <https://opentelemetry.io/docs/specs/otel/metrics/sdk/#base2-exponential-bucket-histogram-aggregation> has them.
fn exponential(instrument: &Instrument) -> Option<Stream> {
    if instrument.kind() != InstrumentKind::Histogram {
        return None;
    }
    let aggregation = Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    let stream = Stream::builder().with_aggregation(aggregation);
    stream.build().ok()
}

fn logs(
    signal: Signal,
    resource: &Resource,
    page: &Page,
    transport: &Transport,
    env: &mut Env,
) -> Option<SdkLoggerProvider> {
    // `console` needs nothing here: the console shows logs in any case.
    let limits = Limits::read(env);
    let batching = Batching::of_logs(env);
    let exporter = signal.otlp.and_then(|protocol| {
        transport.exporter("logs", batching.timeout, env, |to, _| match protocol {
            Protocol::Grpc => to.secured(LogExporter::builder().with_tonic()).build(),
            Protocol::HttpProtobuf => LogExporter::builder()
                .with_http()
                .with_http_client(to.http()?)
                .build(),
        })
    });
    if exporter.is_none() && page.url().is_none() {
        return None;
    }
    let mut provider = SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_log_processor(SessionOnLogs)
        .with_log_processor(crate::logs::EventNames);
    if let Some(exporter) = exporter {
        let inner = BatchLogProcessor::builder(exporter)
            .with_batch_config(batching.logs())
            .build();
        provider = provider.with_log_processor(LimitedLogs::new(
            queue("logs", inner, &batching, transport),
            &limits,
        ));
    }
    Some(page.with_logs(provider, &limits).build())
}

/// Puts a door before a batch processor: what finds its queue full is counted there.
fn queue<P>(
    signal: &'static str,
    processor: P,
    batching: &Batching,
    transport: &Transport,
) -> Queue<P> {
    Queue {
        processor,
        signal,
        capacity: u64::try_from(batching.queue).unwrap_or(u64::MAX),
        health: transport.health.clone(),
        under_way: Arc::default(),
    }
}

/// One line for people: `traces console, metrics off, logs OTLP http://localhost:4317`.
fn destinations(settings: &Settings, page: &Page, env: &Env) -> String {
    let signals = [
        ("TRACES", settings.traces),
        ("METRICS", settings.metrics),
        ("LOGS", settings.logs),
    ];
    let lines = signals.map(|(name, signal)| {
        let otlp = signal
            .otlp
            .map(|protocol| format!("OTLP {}", endpoint(env, name, protocol)));
        let to = match (otlp, signal.console) {
            (Some(otlp), true) => format!("{otlp} and console"),
            (Some(otlp), false) => otlp,
            (None, true) => "console".to_owned(),
            (None, false) => "off".to_owned(),
        };
        format!("{} {to}", name.to_lowercase())
    });
    let page = page.url().map(|url| format!("page {url}"));
    lines.into_iter().chain(page).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

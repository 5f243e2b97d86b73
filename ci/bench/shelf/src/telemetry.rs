//! OTLP over gRPC by the environment's settings, everything else as it is by default. No log lines: with those that people
//! usually have it would only cost more.

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    metrics::SdkMeterProvider, propagation::TraceContextPropagator, trace::SdkTracerProvider,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

pub fn init() -> anyhow::Result<Telemetry> {
    let traces = SdkTracerProvider::builder()
        .with_batch_exporter(SpanExporter::builder().with_tonic().build()?)
        .build();
    let metrics = SdkMeterProvider::builder()
        .with_periodic_exporter(MetricExporter::builder().with_tonic().build()?)
        .build();
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_tracer_provider(traces.clone());
    global::set_meter_provider(metrics.clone());
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_opentelemetry::layer().with_tracer(traces.tracer("shelf")))
        .try_init()?;
    Ok(Telemetry { traces, metrics })
}

impl Telemetry {
    pub fn shutdown(self) -> anyhow::Result<()> {
        self.traces.shutdown()?;
        self.metrics.shutdown()?;
        Ok(())
    }
}

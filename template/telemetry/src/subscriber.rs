//! The subscriber of `tracing`: its spans become spans of the trace, its events log records and lines on the console.
//!
//! What is wanted at all is decided once, by [`Wanted`]. A layer that had a filter of `tracing_subscriber`'s would look up
//! each span whenever it is entered or left, and each [`Layered`](layer::Layered) above the registry does when it ends.

use opentelemetry::Context;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::Tracer};
use tracing::{Event, Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::writer::BoxMakeWriter,
    layer::{self, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    exception, logs, pipeline::Pipeline, rejected, sampler::may_record_below, settings::Settings,
};

pub(crate) fn of(
    pipeline: &Pipeline,
    settings: &Settings,
    console: BoxMakeWriter,
) -> impl SubscriberInitExt + use<> {
    let targets = logs::targets(settings.sdk_logs);
    let log_records = pipeline
        .logger()
        .map(|provider| log_records(provider, &targets, settings));
    let wanted = Wanted {
        spans: pipeline.traces().is_some(),
        targets: targets.clone(),
        events: rejected::layer()
            .and_then(log_records)
            .and_then(logs::console_layer(targets, settings.log_format, console)),
    };
    let spans = pipeline.tracer().map(spans);
    Registry::default().with(Layer::and_then(spans, wanted))
}

/// The bridge's own extras (location, threads, busy/idle times) cost more than the span.
fn spans<S>(tracer: Tracer) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
}

/// Log records of the events that `RUST_LOG` enables, never of those of the exporters' own transport
/// (each export would cause the next: <https://github.com/open-telemetry/opentelemetry-rust/issues/1171>).
fn log_records<S>(
    provider: &SdkLoggerProvider,
    targets: &Targets,
    settings: &Settings,
) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let (targets, exceptions_as_logs) = (targets.clone(), settings.exceptions.as_logs());
    Events {
        layer: OpenTelemetryTracingBridge::new(provider),
        wants: move |metadata: &Metadata<'_>| {
            !logs::is_transport(metadata.target())
                && (exceptions_as_logs || metadata.target() != exception::SPAN_EVENT_TARGET)
                && targets.would_enable(metadata.target(), metadata.level())
        },
    }
}

/// A layer that hears of events only, and only of those it wants.
pub(crate) struct Events<L, F> {
    pub(crate) layer: L,
    pub(crate) wants: F,
}

impl<S, L, F> Layer<S> for Events<L, F>
where
    S: Subscriber,
    L: Layer<S>,
    F: Fn(&Metadata<'_>) -> bool + 'static,
{
    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        // What came by the `log` crate says elsewhere what it is about.
        let by_log = event.normalized_metadata();
        if (self.wants)(by_log.as_ref().unwrap_or(event.metadata())) {
            self.layer.on_event(event, context);
        }
    }
}

/// What of `tracing` is wanted by any layer, and the layers of events.
struct Wanted<E> {
    spans: bool,
    targets: Targets,
    events: E,
}

impl<E> Wanted<E> {
    /// Spans whatever `RUST_LOG` says about logs: a service that logs only warnings must not lose its spans.
    fn wants_span(&self, metadata: &Metadata<'_>) -> bool {
        self.spans
            && (*metadata.level() <= LevelFilter::INFO || self.wants_event(metadata))
            && !logs::is_transport(metadata.target())
    }

    fn wants_event(&self, metadata: &Metadata<'_>) -> bool {
        self.targets
            .would_enable(metadata.target(), metadata.level())
    }
}

impl<S: Subscriber, E: Layer<S>> Layer<S> for Wanted<E> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() && self.wants_span(metadata) {
            Interest::sometimes()
        } else if metadata.is_event()
            && (self.wants_event(metadata) || rejected::is_said_by(metadata))
        {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: layer::Context<'_, S>) -> bool {
        if metadata.is_span() {
            // The bridge gathers attributes before it asks the sampler.
            Context::map_current(may_record_below) && self.wants_span(metadata)
        } else {
            self.wants_event(metadata) || rejected::is_said_by(metadata)
        }
    }

    /// Here events end: they are log records, and the bridge would repeat each as an event of the span.
    fn event_enabled(&self, event: &Event<'_>, context: layer::Context<'_, S>) -> bool {
        self.events.on_event(event, context);
        false
    }

    /// Spares all that is beyond it the question: sqlx asks for each statement, and whoever logs by the `log` crate each
    /// time. Warnings are as quiet as spans: of what the collector rejected, too.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        let named = self.targets.iter().map(|(_, level)| level);
        named
            .chain([LevelFilter::INFO])
            .chain(self.targets.default_level())
            .max()
    }
}

//! A queue with providers of its own, so that tests run side by side.

use std::sync::Once;

use opentelemetry::{KeyValue, global, metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData},
    },
    trace::{InMemorySpanExporter, SdkTracerProvider, SimpleSpanProcessor, SpanData},
};

use super::super::{Destination, SCOPE, carrier::BaggageKeys};
use crate::{propagation, session::SessionOnSpans};

pub(super) use crate::testing::attribute;

pub(super) struct Rig {
    pub(super) destination: Destination,
    _tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
}

impl Rig {
    /// With these keys of baggage allowed.
    pub(super) fn new(baggage: &str) -> Self {
        prepare_process();
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(SessionOnSpans(SimpleSpanProcessor::new(spans.clone())))
            .build();
        let metrics = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder()
            .with_periodic_exporter(metrics.clone())
            .build();
        let destination = Destination::with(
            "apalis",
            "mail",
            true,
            Some(tracers.tracer(SCOPE)),
            &meters.meter(SCOPE),
            BaggageKeys::from_list(baggage),
        );
        Self {
            destination,
            _tracers: tracers,
            spans,
            meters,
            metrics,
        }
    }

    /// The finished spans, in the order of their end.
    pub(super) fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().expect("the exporter works")
    }

    /// The one span of this name.
    #[track_caller]
    pub(super) fn span(&self, name: &str) -> SpanData {
        let mut spans = self.spans();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name}");
        spans.remove(0)
    }

    /// `metric attributes: count`, sorted.
    pub(super) fn collect(&self) -> Vec<String> {
        self.meters.force_flush().expect("the reader works");
        let collections = self
            .metrics
            .get_finished_metrics()
            .expect("the exporter works");
        let last = collections.last().expect("a collection");
        let mut found = Vec::new();
        for metric in last.scope_metrics().flat_map(|scope| scope.metrics()) {
            let name = metric.name();
            let mut note = |attributes: String, count: u64| {
                found.push(format!("{name} {attributes}: {count}"));
            };
            match metric.data() {
                AggregatedMetrics::F64(MetricData::Histogram(data)) => {
                    for point in data.data_points() {
                        assert_eq!(point.bounds().count(), 14);
                        note(join(point.attributes()), point.count());
                    }
                }
                AggregatedMetrics::U64(MetricData::Sum(data)) => {
                    for point in data.data_points() {
                        note(join(point.attributes()), point.value());
                    }
                }
                other => panic!("unexpected data of {name}: {other:?}"),
            }
        }
        found.sort();
        found
    }
}

/// What is one for the whole process: the propagators. Every test wants the same.
fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        global::set_text_map_propagator(propagation::of(&["tracecontext", "baggage"]));
    });
}

/// `a=1 b=2`, sorted.
fn join<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
    let mut parts: Vec<_> = attributes
        .map(|attribute| format!("{}={}", attribute.key, attribute.value))
        .collect();
    parts.sort();
    parts.join(" ")
}

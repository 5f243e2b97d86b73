//! A pool with providers of its own, so that tests run side by side and see only themselves.

use std::{collections::BTreeMap, time::Duration};

use opentelemetry::{
    KeyValue, Value,
    metrics::MeterProvider as _,
    trace::{SpanContext, TracerProvider as _},
};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData},
    },
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};

use sqlx::pool::PoolOptions;

use super::super::{
    Driver, Pool, SCOPE,
    backend::{SYSTEM, testing::Database},
};

pub(super) struct Rig {
    pub(super) pool: Pool,
    pub(super) tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
    // Dropped last, when the pool is.
    database: Database,
}

impl Rig {
    pub(super) async fn new(connections: u32) -> Self {
        Self::with(PoolOptions::new().max_connections(connections)).await
    }

    /// A pool of one connection that lets nobody wait for long.
    pub(super) async fn impatient() -> Self {
        let options = PoolOptions::new().max_connections(1);
        Self::with(options.acquire_timeout(Duration::from_secs(1))).await
    }

    async fn with(options: PoolOptions<Driver>) -> Self {
        let database = Database::new().await;
        let raw = options.connect_lazy_with(database.options.clone());
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let metrics = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder()
            .with_periodic_exporter(metrics.clone())
            .build();
        let tracer = Some(tracers.tracer(SCOPE));
        let pool = Pool::with(raw, "main", true, tracer, &meters.meter(SCOPE));
        Self {
            pool,
            tracers,
            spans,
            meters,
            metrics,
            database,
        }
    }

    /// `attributes` and those that tell which database it is, sorted as by [`join`].
    pub(super) fn attributes(&self, attributes: &[(&'static str, &str)]) -> String {
        let mut all = self.database.place();
        all.push(("db.system.name", SYSTEM.to_owned()));
        all.extend(
            attributes
                .iter()
                .map(|(key, value)| (*key, (*value).to_owned())),
        );
        join(
            &all.into_iter()
                .map(|(key, value)| KeyValue::new(key, value))
                .collect::<Vec<_>>(),
        )
    }

    /// The finished spans, in the order of their end.
    pub(super) fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().expect("the exporter works")
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.spans()
            .iter()
            .map(|span| span.name.to_string())
            .collect()
    }

    /// The one span, and there is no other.
    #[track_caller]
    pub(super) fn span(&self) -> SpanData {
        let spans = self.spans();
        assert_eq!(spans.len(), 1, "{:?}", self.names());
        spans.into_iter().next().expect("one span")
    }

    /// What a collection finds now: name → attributes → value. Of durations it is how many there are, of rows their sum.
    pub(super) fn collect(&self) -> BTreeMap<String, BTreeMap<String, i64>> {
        self.metrics.reset();
        self.meters.force_flush().expect("the reader works");
        let mut found = BTreeMap::<String, BTreeMap<String, i64>>::new();
        for collection in self
            .metrics
            .get_finished_metrics()
            .expect("the exporter works")
        {
            for metric in collection.scope_metrics().flat_map(|scope| scope.metrics()) {
                let points = found.entry(metric.name().to_owned()).or_default();
                match metric.data() {
                    AggregatedMetrics::F64(MetricData::Histogram(data)) => {
                        for point in data.data_points() {
                            points.insert(
                                join(point.attributes()),
                                point.count().try_into().expect("few"),
                            );
                        }
                    }
                    AggregatedMetrics::U64(MetricData::Histogram(data)) => {
                        for point in data.data_points() {
                            points.insert(
                                join(point.attributes()),
                                point.sum().try_into().expect("few"),
                            );
                        }
                    }
                    AggregatedMetrics::I64(MetricData::Sum(data)) => {
                        points.extend(
                            data.data_points()
                                .map(|point| (join(point.attributes()), point.value())),
                        );
                    }
                    AggregatedMetrics::U64(MetricData::Sum(data)) => {
                        for point in data.data_points() {
                            points.insert(
                                join(point.attributes()),
                                point.value().try_into().expect("few"),
                            );
                        }
                    }
                    other => panic!("unexpected data of {}: {other:?}", metric.name()),
                }
            }
        }
        found
    }
}

pub(super) fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    span.attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == key)
        .map(|attribute| attribute.value.clone())
}

/// `a=1 b=2`, sorted.
pub(super) fn join<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>) -> String {
    let mut parts: Vec<_> = attributes
        .into_iter()
        .map(|a| format!("{}={}", a.key, a.value))
        .collect();
    parts.sort();
    parts.join(" ")
}

pub(super) fn is_child_of(span: &SpanData, parent: &SpanContext) -> bool {
    span.parent_span_id == parent.span_id() && span.span_context.trace_id() == parent.trace_id()
}

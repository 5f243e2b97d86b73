//! A connection with providers of its own, so that tests run side by side and see only themselves.

use std::{collections::BTreeMap, env, time::Duration};

use opentelemetry::{KeyValue, metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData},
    },
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use redis::{
    Client,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};

use super::super::{
    Connection, SCOPE,
    operation::{Operations, common},
};

/// Names the server.
pub(super) const URL: &str = "TEST_REDIS_URL";
/// Is in every key and value; must be in no signal.
pub(super) const CANARY: &str = "s3cr3t-canary";

/// A client of the server.
///
/// # Panics
/// When there is none.
pub(super) fn client() -> Client {
    let url = env::var(URL).unwrap_or_else(|_| {
        panic!(
            "these tests need a Redis server, and {URL} names none:\n  \
             docker run --rm -d -p 6379:6379 redis:7-alpine; export {URL}=redis://127.0.0.1:6379"
        )
    });
    Client::open(url).unwrap_or_else(|_| panic!("{URL} must be like redis://127.0.0.1:6379"))
}

/// A key that no other test has.
pub(super) fn key() -> String {
    format!("test:{}:{CANARY}", uuid::Uuid::new_v4())
}

pub(super) struct Rig<C = MultiplexedConnection> {
    pub(super) connection: Connection<C>,
    pub(super) client: Client,
    pub(super) tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
}

impl Rig {
    pub(super) async fn new() -> Self {
        let client = client();
        let raw = client.get_multiplexed_async_connection().await;
        Self::of(
            raw.unwrap_or_else(|_| panic!("no Redis answers at {URL}")),
            client,
        )
    }
}

impl Rig<ConnectionManager> {
    /// Connects when it must, and to an address that may have no Redis.
    pub(super) fn lazy(url: &str) -> Self {
        let client = Client::open(url).expect("a URL");
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(Duration::from_millis(100)));
        let raw = client.get_connection_manager_lazy(config);
        Self::of(raw.expect("connects later"), client)
    }
}

impl<C> Rig<C> {
    fn of(raw: C, client: Client) -> Self {
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let metrics = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder()
            .with_periodic_exporter(metrics.clone())
            .build();
        let tracer = Some(tracers.tracer(SCOPE));
        let operations =
            Operations::new(tracer, &meters.meter(SCOPE), client.get_connection_info());
        Self {
            connection: Connection::with(raw, Some(operations)),
            client,
            tracers,
            spans,
            meters,
            metrics,
        }
    }

    /// The finished spans, in the order of their end.
    pub(super) fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().expect("the exporter works")
    }

    /// The one span, and there is no other.
    #[track_caller]
    pub(super) fn span(&self) -> SpanData {
        let spans = self.spans();
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.into_iter().next().expect("one span")
    }

    /// These attributes and those that all signals of the connection have, as [`join`] shows them.
    pub(super) fn expected<const N: usize>(
        &self,
        own: [(&'static str, &'static str); N],
    ) -> String {
        let own = own.map(|(key, value)| KeyValue::new(key, value));
        join(common(self.client.get_connection_info()).iter().chain(&own))
    }

    /// How often each set of attributes was measured.
    pub(super) fn durations(&self) -> BTreeMap<String, u64> {
        self.meters.force_flush().expect("the reader works");
        let collections = self.metrics.get_finished_metrics();
        let mut counts = BTreeMap::new();
        for collection in collections.expect("the exporter works") {
            for metric in collection.scope_metrics().flat_map(|scope| scope.metrics()) {
                assert_eq!(metric.name(), "db.client.operation.duration");
                let AggregatedMetrics::F64(MetricData::Histogram(data)) = metric.data() else {
                    panic!("no histogram: {metric:?}");
                };
                counts.extend(
                    data.data_points()
                        .map(|point| (join(point.attributes()), point.count())),
                );
            }
        }
        counts
    }
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

//! A client with providers of its own, so that tests run side by side, and a server that says what it is told.

use std::{net::SocketAddr, sync::Once, time::Duration};

use http::Request;
use opentelemetry::{
    KeyValue, Value,
    global::{self, BoxedTracer},
    metrics::MeterProvider as _,
    trace::TracerProvider as _,
};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData},
    },
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

use super::{
    super::{Instrumentation, KnownMethods, SCOPE, TrustedHosts},
    client::Client,
};
use crate::propagation;

pub(super) struct Rig {
    pub(super) client: Client,
    pub(super) tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
    pub(super) meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::trusting("")
    }

    pub(super) fn trusting(hosts: &str) -> Self {
        Self::with(hosts, Duration::from_secs(5))
    }

    pub(super) fn with(hosts: &str, timeout: Duration) -> Self {
        prepare_process();
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let metrics = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder()
            .with_periodic_exporter(metrics.clone())
            .build();
        let client = Client::new(instrumentation(&tracers, &meters, hosts), timeout);
        Self {
            client,
            tracers,
            spans,
            meters,
            metrics,
        }
    }

    pub(super) async fn get(&self, url: &str) -> Option<(u16, String)> {
        self.client.send(get(url)).await
    }

    pub(super) fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().expect("the exporter works")
    }

    /// The one span, and there is no other.
    #[track_caller]
    pub(super) fn span(&self) -> SpanData {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1);
        spans.remove(0)
    }

    /// The attributes under which durations were recorded, and how many.
    pub(super) fn durations(&self) -> Vec<(String, u64)> {
        self.meters.force_flush().expect("the reader works");
        let collections = self
            .metrics
            .get_finished_metrics()
            .expect("the exporter works");
        let last = collections.last();
        let mut found = Vec::new();
        let scopes = last.into_iter().flat_map(|last| last.scope_metrics());
        for metric in scopes.flat_map(|scope| scope.metrics()) {
            assert_eq!(
                (metric.name(), metric.unit()),
                ("http.client.request.duration", "s")
            );
            let AggregatedMetrics::F64(MetricData::Histogram(data)) = metric.data() else {
                panic!("no histogram: {metric:?}");
            };
            for point in data.data_points() {
                assert_eq!(point.bounds().count(), 14);
                found.push((join(point.attributes()), point.count()));
            }
        }
        found.sort();
        found
    }
}

pub(super) fn instrumentation(
    tracers: &SdkTracerProvider,
    meters: &SdkMeterProvider,
    hosts: &str,
) -> Instrumentation {
    Instrumentation::with(
        BoxedTracer::new(Box::new(tracers.tracer(SCOPE))),
        &meters.meter(SCOPE),
        KnownMethods::from_list(""),
        TrustedHosts::from_list(hosts),
    )
}

pub(super) fn get(url: &str) -> Request<()> {
    Request::get(url).body(()).expect("a request")
}

/// What is one for the whole process: propagator and crypto library. Every test wants the same.
fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        global::set_text_map_propagator(propagation::of(&["tracecontext", "baggage"]));
        // Fails if another test of this crate was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A server that answers each request with the next of `answers`, and tells the heads it received. Without an answer it
/// keeps the caller waiting.
pub(super) async fn server(
    answers: &'static [&'static str],
) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (heads, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = answers.iter();
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut head, mut buffer) = (Vec::new(), [0; 16 * 1024]);
            // Until the head is complete, or begins as TLS does.
            while head.first() != Some(&0x16) && !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let _ = heads.send(String::from_utf8_lossy(&head).into_owned());
            match answers.next() {
                Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                None => open.push(stream),
            }
        }
    });
    (address, received)
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

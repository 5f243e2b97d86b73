//! The receiver against real exporters, over both protocols. The runs against the contract compress.

use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Span as _, SpanKind, Status as ApiStatus, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, KeyValue, Value as ApiValue};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::Receiver;
use crate::signals::{Instrument, Kind, Measure, Status, Temporality, Value};

const DEADLINE: Duration = Duration::from_secs(20);

/// The three exporters of one protocol.
struct Exporters {
    spans: SpanExporter,
    metrics: MetricExporter,
    logs: LogExporter,
}

fn grpc(endpoint: &str) -> Exporters {
    Exporters {
        spans: SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .unwrap(),
        metrics: MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .unwrap(),
        logs: LogExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .unwrap(),
    }
}

fn http(endpoint: &str) -> Exporters {
    let at = |path: &str| format!("{endpoint}{path}");
    let (spans, metrics, logs) = (
        SpanExporter::builder(),
        MetricExporter::builder(),
        LogExporter::builder(),
    );
    Exporters {
        spans: spans
            .with_http()
            .with_endpoint(at("/v1/traces"))
            .build()
            .unwrap(),
        metrics: metrics
            .with_http()
            .with_endpoint(at("/v1/metrics"))
            .build()
            .unwrap(),
        logs: logs
            .with_http()
            .with_compression(Compression::Gzip)
            .with_endpoint(at("/v1/logs"))
            .build()
            .unwrap(),
    }
}

/// Emits one span, one histogram, one counter and one event, and shuts the providers down.
fn emit(exporters: Exporters) {
    let resource = Resource::builder().with_service_name("emitter").build();

    let tracers = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(exporters.spans)
        .build();
    let tracer = tracers.tracer("emitter.scope");
    let mut span = tracer
        .span_builder("GET /users/{id}")
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("http.response.status_code", 200),
            KeyValue::new(
                "tags",
                ApiValue::Array(Array::String(vec!["a".into(), "b".into()])),
            ),
        ])
        .start(&tracer);
    span.add_event("exception", vec![KeyValue::new("exception.type", "Oops")]);
    span.set_status(ApiStatus::error("broken"));
    span.end();

    let meters = SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_periodic_exporter(exporters.metrics)
        .build();
    let meter = meters.meter("emitter.scope");
    meter
        .f64_histogram("work.duration")
        .with_unit("s")
        .with_boundaries(vec![0.1, 1.0])
        .build()
        .record(0.5, &[KeyValue::new("outcome", "good")]);
    meter.u64_counter("work.done").build().add(3, &[]);

    let loggers = SdkLoggerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporters.logs)
        .build();
    let logger = loggers.logger("emitter.scope");
    let mut record = logger.create_log_record();
    record.set_event_name("exception");
    record.set_severity_number(Severity::Error);
    record.set_body(AnyValue::from("it broke"));
    logger.emit(record);

    tracers.shutdown().unwrap();
    meters.shutdown().unwrap();
    loggers.shutdown().unwrap();
}

async fn receives_all(exporters: impl FnOnce(&Receiver) -> Exporters) -> super::Received {
    let receiver = Receiver::start().await.unwrap();
    let exporters = exporters(&receiver);
    tokio::task::spawn_blocking(move || emit(exporters))
        .await
        .unwrap();
    receiver
        .store()
        .wait_for("one of each signal", DEADLINE, |all| {
            !all.spans.is_empty() && all.metrics.len() >= 2 && !all.logs.is_empty()
        })
        .await
        .unwrap();
    receiver.store().snapshot()
}

fn assert_emitted(all: &super::Received) {
    let span = &all.spans[0];
    assert_eq!(
        (all.spans.len(), span.name.as_str(), span.kind),
        (1, "GET /users/{id}", Kind::Server)
    );
    assert_eq!(
        (span.trace_id.len(), span.span_id.len(), &span.parent),
        (32, 16, &None)
    );
    assert_eq!(
        span.attributes["http.response.status_code"],
        Value::Int(200)
    );
    assert_eq!(span.attributes["tags"].type_name(), "string[]");
    assert_eq!(span.status, Status::Error("broken".to_owned()));
    assert_eq!(
        span.events[0].attributes["exception.type"].as_str(),
        Some("Oops")
    );
    assert_eq!(span.scope.name, "emitter.scope");
    assert_eq!(
        span.resource.attributes["service.name"].as_str(),
        Some("emitter")
    );
    assert!(span.end >= span.start);

    let point = |name: &str| all.metrics.iter().find(|point| point.name == name).unwrap();
    let duration = point("work.duration");
    assert_eq!(
        (duration.unit.as_str(), duration.instrument),
        ("s", Instrument::Histogram)
    );
    assert_eq!(duration.temporality, Temporality::Cumulative);
    let expected = Measure::Histogram {
        count: 1,
        sum: 0.5,
        bounds: vec![0.1, 1.0],
        buckets: vec![0, 1, 0],
    };
    assert_eq!(duration.measure, expected);
    assert_eq!(point("work.done").instrument, Instrument::Counter);
    assert_eq!(point("work.done").measure, Measure::Number(3.0));

    let record = &all.logs[0];
    assert_eq!(
        (record.event_name.as_str(), record.severity),
        ("exception", 17)
    );
    assert_eq!(record.body.as_str(), Some("it broke"));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc() {
    let all = receives_all(|receiver| grpc(&receiver.grpc_endpoint())).await;
    assert_emitted(&all);
    assert_eq!(all.exports, [3, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http() {
    let all = receives_all(|receiver| http(&receiver.http_endpoint())).await;
    assert_emitted(&all);
    assert_eq!(all.exports, [0, 3]);
}

#[tokio::test]
async fn http_refuses_what_is_not_protobuf() {
    let receiver = Receiver::start().await.unwrap();
    let request = |content_type: &str, body: &[u8]| crate::client::Request {
        method: "POST",
        target: "/v1/traces",
        headers: vec![("content-type", content_type.to_owned())],
        body: body.to_vec(),
    };
    let address = receiver
        .http_endpoint()
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    let json = crate::client::send(address, &request("application/json", b"{}"))
        .await
        .unwrap();
    let garbage = crate::client::send(address, &request("application/x-protobuf", b"\xff\xff"))
        .await
        .unwrap();
    assert_eq!((json.status, garbage.status), (415, 400));
    assert_eq!(receiver.store().snapshot().exports, [0, 0]);
}

#[tokio::test]
async fn waiting_ends_at_the_deadline_and_says_for_what() {
    let receiver = Receiver::start().await.unwrap();
    let error = receiver
        .store()
        .wait_for("a miracle", Duration::from_millis(20), |_| false)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("a miracle"), "{error}");
}

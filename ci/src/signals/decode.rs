//! OTLP protobuf messages into the flat model.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    HistogramDataPoint, Metric, NumberDataPoint, metric, number_data_point,
};
use opentelemetry_proto::tonic::{resource, trace};

use super::{
    Attributes, Event, Instrument, Kind, Link, LogRecord, Measure, MetricPoint, Resource, Scope,
    Span, Status, Temporality, Value,
};

pub fn decode_traces(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in request.resource_spans {
        let resource = resource_of(group.resource, group.schema_url);
        for group in group.scope_spans {
            let scope = scope_of(group.scope, group.schema_url);
            spans.extend(
                group
                    .spans
                    .into_iter()
                    .map(|raw| span(raw, &scope, &resource)),
            );
        }
    }
    spans
}

pub fn decode_metrics(request: ExportMetricsServiceRequest) -> Vec<MetricPoint> {
    let mut points = Vec::new();
    for group in request.resource_metrics {
        let resource = resource_of(group.resource, group.schema_url);
        for group in group.scope_metrics {
            let scope = scope_of(group.scope, group.schema_url);
            for raw in group.metrics {
                points.extend(metric_points(raw, &scope, &resource));
            }
        }
    }
    points
}

pub fn decode_logs(request: ExportLogsServiceRequest) -> Vec<LogRecord> {
    let mut records = Vec::new();
    for group in request.resource_logs {
        let resource = resource_of(group.resource, group.schema_url);
        for group in group.scope_logs {
            let scope = scope_of(group.scope, group.schema_url);
            records.extend(group.log_records.into_iter().map(|raw| LogRecord {
                time: raw.time_unix_nano,
                observed: raw.observed_time_unix_nano,
                severity: raw.severity_number,
                severity_text: raw.severity_text,
                event_name: raw.event_name,
                body: raw.body.map_or(Value::Empty, value),
                attributes: attributes(raw.attributes).0,
                trace_id: id(&raw.trace_id),
                span_id: id(&raw.span_id),
                scope: scope.clone(),
                resource: resource.clone(),
            }));
        }
    }
    records
}

fn span(raw: trace::v1::Span, scope: &Arc<Scope>, resource: &Arc<Resource>) -> Span {
    let kind = match raw.kind() {
        trace::v1::span::SpanKind::Unspecified => Kind::Unspecified,
        trace::v1::span::SpanKind::Internal => Kind::Internal,
        trace::v1::span::SpanKind::Server => Kind::Server,
        trace::v1::span::SpanKind::Client => Kind::Client,
        trace::v1::span::SpanKind::Producer => Kind::Producer,
        trace::v1::span::SpanKind::Consumer => Kind::Consumer,
    };
    let status = match raw.status {
        None => Status::Unset,
        Some(status) => match status.code() {
            trace::v1::status::StatusCode::Unset => Status::Unset,
            trace::v1::status::StatusCode::Ok => Status::Ok,
            trace::v1::status::StatusCode::Error => Status::Error(status.message),
        },
    };
    let (span_attributes, duplicate_keys) = attributes(raw.attributes);
    Span {
        trace_id: hex(&raw.trace_id),
        span_id: hex(&raw.span_id),
        parent: id(&raw.parent_span_id),
        trace_state: raw.trace_state,
        flags: raw.flags,
        kind,
        name: raw.name,
        start: raw.start_time_unix_nano,
        end: raw.end_time_unix_nano,
        attributes: span_attributes,
        duplicate_keys,
        dropped: raw.dropped_attributes_count + raw.dropped_events_count + raw.dropped_links_count,
        status,
        events: raw
            .events
            .into_iter()
            .map(|event| Event {
                name: event.name,
                time: event.time_unix_nano,
                attributes: attributes(event.attributes).0,
            })
            .collect(),
        links: raw
            .links
            .into_iter()
            .map(|link| Link {
                trace_id: hex(&link.trace_id),
                span_id: hex(&link.span_id),
                attributes: attributes(link.attributes).0,
            })
            .collect(),
        scope: scope.clone(),
        resource: resource.clone(),
    }
}

fn metric_points(raw: Metric, scope: &Arc<Scope>, resource: &Arc<Resource>) -> Vec<MetricPoint> {
    let point = |instrument, temporality, attrs: Vec<KeyValue>, time, measure| MetricPoint {
        name: raw.name.clone(),
        description: raw.description.clone(),
        unit: raw.unit.clone(),
        instrument,
        temporality,
        attributes: attributes(attrs).0,
        time,
        measure,
        scope: scope.clone(),
        resource: resource.clone(),
    };
    let number = |instrument, temporality, raw: NumberDataPoint| {
        let value = match raw.value {
            Some(number_data_point::Value::AsDouble(value)) => value,
            // Telemetry counts stay far below 2^52.
            Some(number_data_point::Value::AsInt(value)) => value as f64,
            None => f64::NAN,
        };
        point(
            instrument,
            temporality,
            raw.attributes,
            raw.time_unix_nano,
            Measure::Number(value),
        )
    };
    match raw.data.clone() {
        Some(metric::Data::Gauge(gauge)) => gauge
            .data_points
            .into_iter()
            .map(|raw| number(Instrument::Gauge, Temporality::Unspecified, raw))
            .collect(),
        Some(metric::Data::Sum(sum)) => {
            let instrument = if sum.is_monotonic {
                Instrument::Counter
            } else {
                Instrument::UpDownCounter
            };
            let temporality = temporality(sum.aggregation_temporality);
            sum.data_points
                .into_iter()
                .map(|raw| number(instrument, temporality, raw))
                .collect()
        }
        Some(metric::Data::Histogram(histogram)) => {
            let temporality = temporality(histogram.aggregation_temporality);
            let histogram_point = |raw: HistogramDataPoint| {
                let measure = Measure::Histogram {
                    count: raw.count,
                    sum: raw.sum.unwrap_or(f64::NAN),
                    bounds: raw.explicit_bounds,
                    buckets: raw.bucket_counts,
                };
                point(
                    Instrument::Histogram,
                    temporality,
                    raw.attributes,
                    raw.time_unix_nano,
                    measure,
                )
            };
            histogram
                .data_points
                .into_iter()
                .map(histogram_point)
                .collect()
        }
        Some(metric::Data::ExponentialHistogram(_) | metric::Data::Summary(_)) | None => {
            vec![point(
                Instrument::Other,
                Temporality::Unspecified,
                Vec::new(),
                0,
                Measure::Number(f64::NAN),
            )]
        }
    }
}

fn temporality(code: i32) -> Temporality {
    match code {
        1 => Temporality::Delta,
        2 => Temporality::Cumulative,
        _ => Temporality::Unspecified,
    }
}

fn resource_of(raw: Option<resource::v1::Resource>, schema_url: String) -> Arc<Resource> {
    let attributes = attributes(raw.map(|raw| raw.attributes).unwrap_or_default()).0;
    Arc::new(Resource {
        attributes,
        schema_url,
    })
}

fn scope_of(raw: Option<InstrumentationScope>, schema_url: String) -> Arc<Scope> {
    let raw = raw.unwrap_or_default();
    Arc::new(Scope {
        name: raw.name,
        version: raw.version,
        schema_url,
    })
}

/// The attributes and the keys that came more than once.
fn attributes(raw: Vec<KeyValue>) -> (Attributes, Vec<String>) {
    let mut all = Attributes::new();
    let mut duplicates = Vec::new();
    for entry in raw {
        let value = entry.value.map_or(Value::Empty, value);
        if all.insert(entry.key.clone(), value).is_some() {
            duplicates.push(entry.key);
        }
    }
    (all, duplicates)
}

fn value(raw: AnyValue) -> Value {
    match raw.value {
        None => Value::Empty,
        Some(any_value::Value::StringValue(text)) => Value::Str(text),
        Some(any_value::Value::BoolValue(flag)) => Value::Bool(flag),
        Some(any_value::Value::IntValue(number)) => Value::Int(number),
        Some(any_value::Value::DoubleValue(number)) => Value::Double(number),
        Some(any_value::Value::ArrayValue(array)) => {
            Value::Array(array.values.into_iter().map(value).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => Value::Map(
            list.values
                .into_iter()
                .map(|entry| (entry.key, entry.value.map_or(Value::Empty, value)))
                .collect(),
        ),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes),
        // An index into the string table of the profiles signal; it has no meaning here.
        Some(any_value::Value::StringValueStrindex(_)) => Value::Empty,
    }
}

fn id(bytes: &[u8]) -> Option<String> {
    bytes.iter().any(|byte| *byte != 0).then(|| hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

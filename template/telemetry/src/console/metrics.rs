//! Metrics on the console.

use std::{
    fmt::{Display, Write as _},
    io::{self, Write as _},
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
};

use super::shown;

/// Metrics as lines, one a data point, at each collection.
#[derive(Debug)]
pub(crate) struct MetricLines;

impl PushMetricExporter for MetricLines {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut text = String::new();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let points = match metric.data() {
                AggregatedMetrics::F64(data) => points(data),
                AggregatedMetrics::I64(data) => points(data),
                AggregatedMetrics::U64(data) => points(data),
            };
            for point in points {
                let _ = writeln!(text, "metric {} {point} {}", metric.name(), metric.unit());
            }
        }
        let _ = io::stdout().lock().write_all(text.as_bytes());
        Ok(())
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// `{attributes} value` of each data point.
fn points<T: Copy + Display>(data: &MetricData<T>) -> Vec<String> {
    fn attributes<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
        let pairs: Vec<_> = attributes
            .map(shown)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!("{{{}}}", pairs.join(" "))
    }
    match data {
        MetricData::Gauge(gauge) => gauge
            .data_points()
            .map(|point| format!("{} {}", attributes(point.attributes()), point.value()))
            .collect(),
        MetricData::Sum(sum) => sum
            .data_points()
            .map(|point| format!("{} {}", attributes(point.attributes()), point.value()))
            .collect(),
        MetricData::Histogram(histogram) => histogram
            .data_points()
            .map(|point| {
                format!(
                    "{} count {} sum {}",
                    attributes(point.attributes()),
                    point.count(),
                    point.sum()
                )
            })
            .collect(),
        MetricData::ExponentialHistogram(histogram) => histogram
            .data_points()
            .map(|point| {
                format!(
                    "{} count {} sum {}",
                    attributes(point.attributes()),
                    point.count(),
                    point.sum()
                )
            })
            .collect(),
    }
}

//! OTLP's metrics as Prometheus reads them, under the names that it gives them.
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus>

use std::fmt::Write as _;

use crate::contract::at_the_end;
use crate::signals::{Measure, MetricPoint, Value};

/// The name of a metric's family.
///
/// # Panics
/// The unit is none that this house uses.
pub fn family(name: &str, unit: &str, instrument: &str) -> String {
    let unit = match unit {
        "s" => "_seconds",
        "By" => "_bytes",
        // What is counted is no unit.
        _ if unit.starts_with('{') => "",
        _ => panic!("{name}: which word is `{unit}` in Prometheus?"),
    };
    let total = if instrument == "counter" {
        "_total"
    } else {
        ""
    };
    label(name) + unit + total
}

/// The name of an attribute as a label.
pub fn label(attribute: &str) -> String {
    attribute.replace('.', "_")
}

/// The last of each series of `points`.
pub(super) fn render(points: &[MetricPoint]) -> String {
    let mut text = String::new();
    for point in at_the_end(points) {
        let family = family(&point.name, &point.unit, &point.instrument.to_string());
        let labels = labels(point);
        let mut line = |end: &str, more: &str, value: f64| {
            // A string takes whatever is written to it.
            let _ = writeln!(text, "{family}{end}{{{labels}{more}}} {value}");
        };
        match &point.measure {
            Measure::Number(value) => line("", "", *value),
            Measure::Histogram {
                count,
                sum,
                bounds,
                buckets,
            } => {
                let mut below = 0;
                for (bound, bucket) in bounds.iter().zip(buckets) {
                    below += bucket;
                    line("_bucket", &format!(",le=\"{bound}\""), below as f64);
                }
                line("_bucket", ",le=\"+Inf\"", *count as f64);
                line("_count", "", *count as f64);
                line("_sum", "", *sum);
            }
        }
    }
    text
}

/// `job` and `instance` are the resource's.
fn labels(point: &MetricPoint) -> String {
    let resource = |name: &str| {
        let value = point.resource.attributes.get(name);
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let mut labels = format!(
        "job=\"{}\",instance=\"{}\"",
        resource("service.name"),
        resource("service.instance.id")
    );
    for (name, value) in &point.attributes {
        let value = value.to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let value = value.replace('\n', "\\n");
        let _ = write!(labels, ",{}=\"{value}\"", label(name));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_as_the_specification_says() {
        assert_eq!(
            family("process.cpu.time", "s", "counter"),
            "process_cpu_time_seconds_total"
        );
        assert_eq!(
            family("tokio.task.count", "{task}", "updowncounter"),
            "tokio_task_count"
        );
        assert_eq!(
            family("http.server.request.duration", "s", "histogram"),
            "http_server_request_duration_seconds"
        );
    }
}

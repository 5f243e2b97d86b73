//! The metrics of a whole run as text: a file for what every stack measures, and one each for what a part adds. So a
//! stack's contract is the sum of its parts' files. How often something was measured is not in them: that is as often as
//! there are spans of it, which `conformance` checks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::normal;
use super::render::Rendered;
use crate::signals::{Attributes, Measure, MetricPoint, Value};

/// The metrics at the end of the run. Series that differ only in what varies are one line.
pub fn metrics(points: &[MetricPoint]) -> Rendered {
    let mut lines: BTreeMap<(&str, &str, String), &MetricPoint> = BTreeMap::new();
    for point in at_the_end(points) {
        let key = (
            file_of(point),
            point.name.as_str(),
            shown(&point.attributes),
        );
        lines.entry(key).or_insert(point);
    }
    let mut files = Rendered::new();
    let mut current = ("", "");
    for ((file, name, attributes), point) in lines {
        let text = files.entry(file.to_owned()).or_default();
        if current != (file, name) {
            current = (file, name);
            head(text, point);
        }
        let value = match point.measure {
            // What rises and falls with the requests is back where it began.
            Measure::Number(number) if name.ends_with(".active_requests") => {
                format!(" -> {number}")
            }
            _ => String::new(),
        };
        let _ = writeln!(text, "  {attributes}{value}");
    }
    files
}

/// The last point of each series: they are cumulative, so it replaces the earlier ones.
pub fn at_the_end(points: &[MetricPoint]) -> Vec<&MetricPoint> {
    let mut last: BTreeMap<(&str, String), &MetricPoint> = BTreeMap::new();
    for point in points {
        let kept = last
            .entry((&point.name, format!("{:?}", point.attributes)))
            .or_insert(point);
        if kept.time <= point.time {
            *kept = point;
        }
    }
    last.into_values().collect()
}

fn head(text: &mut String, point: &MetricPoint) {
    let gap = if text.is_empty() { "" } else { "\n" };
    let MetricPoint {
        name,
        instrument,
        unit,
        temporality,
        scope,
        ..
    } = point;
    let _ = writeln!(
        text,
        "{gap}METRIC {name} {instrument} {unit} {temporality:?} [{}]",
        scope.name
    );
    if let Measure::Histogram { bounds, .. } = &point.measure {
        let _ = writeln!(text, "  bounds {bounds:?}");
    }
}

fn shown(attributes: &Attributes) -> String {
    let pairs = normal::attributes(attributes).map(|(key, value)| format!("{key}={value}"));
    let text = pairs.collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        "(no attributes)".to_owned()
    } else {
        text
    }
}

/// By the part of the service that measures it, or whose route was asked for.
fn file_of(point: &MetricPoint) -> &'static str {
    let route = point
        .attributes
        .get("http.route")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let system = point.attributes.get("db.system.name");
    if system.and_then(Value::as_str) == Some("redis") {
        "metrics.redis.txt"
    } else if point.name.starts_with("db.") {
        "metrics.sql.txt"
    } else if point.name.starts_with("http.client.") || route.starts_with("/external") {
        "metrics.client.txt"
    } else if point.name.starts_with("rpc.") || route.starts_with("/peer") {
        "metrics.grpc.txt"
    } else if point.name.starts_with("messaging.") {
        "metrics.jobs.txt"
    } else if point.name.starts_with("otel.sdk.") {
        "metrics.health.txt"
    } else if point.name.starts_with("process.") || point.name.starts_with("tokio.") {
        "metrics.runtime.txt"
    } else {
        "metrics.txt"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::samples;

    #[test]
    fn the_last_export_counts_and_varying_values_are_one_series() {
        let mut early = samples::duration();
        early.attributes.insert("server.port".to_owned(), 1.into());
        let mut late = early.clone();
        late.time = 2;
        if let Measure::Histogram { count, .. } = &mut late.measure {
            *count = 4;
        }
        let mut other_port = early.clone();
        other_port
            .attributes
            .insert("server.port".to_owned(), 2.into());
        let files = metrics(&[late, early, other_port]);
        let text = &files["metrics.txt"];
        assert!(
            text.starts_with("METRIC http.server.request.duration histogram s Cumulative"),
            "{text}"
        );
        assert!(
            text.contains("server.port=<server.port> url.scheme=http\n"),
            "{text}"
        );
        assert_eq!(files.len(), 1);
    }
}

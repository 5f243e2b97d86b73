//! The metrics of a whole run as text: a file for what every stack measures, and one each for what the database and the
//! HTTP client add. So a stack's contract is the sum of its parts' files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::normal;
use super::render::Rendered;
use crate::signals::{Attributes, Instrument, Measure, MetricPoint, Value};

/// A series as the contract shows it. Series that differ only in what varies are one.
struct Line<'a> {
    point: &'a MetricPoint,
    /// How often it was measured, or the sum of all values.
    value: f64,
}

/// The metrics at the end of the run, with values where the scenario determines them.
pub fn metrics(points: &[MetricPoint]) -> Rendered {
    let mut lines: BTreeMap<(&str, &str, String), Line<'_>> = BTreeMap::new();
    for point in at_the_end(points) {
        let value = match &point.measure {
            Measure::Histogram { count, .. } => *count as f64,
            Measure::Number(number) => *number,
        };
        let key = (
            file_of(point),
            point.name.as_str(),
            shown(&point.attributes),
        );
        let line = lines.entry(key).or_insert(Line { point, value: 0.0 });
        line.value += value;
    }
    let mut files = Rendered::new();
    let mut current = ("", "");
    for ((file, name, attributes), Line { point, value }) in lines {
        let text = files.entry(file.to_owned()).or_default();
        if current != (file, name) {
            current = (file, name);
            head(text, point);
        }
        let value = match point.instrument {
            _ if !is_determined(name) => "(varies)".to_owned(),
            Instrument::Histogram => format!("{value} times"),
            _ => value.to_string(),
        };
        let _ = writeln!(text, "  {attributes} -> {value}");
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
    let pairs = attributes
        .iter()
        .map(|(key, value)| format!("{key}={}", normal::attribute(key, value, attributes)));
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
    if point.name.starts_with("db.") || route.starts_with("/users") {
        "metrics.db.txt"
    } else if point.name.starts_with("http.client.") || route.starts_with("/external") {
        "metrics.client.txt"
    } else if point
        .attributes
        .get("http.request.method")
        .and_then(Value::as_str)
        == Some("POST")
    {
        // Both of the above post, and nothing else: without a route there is no telling which it was.
        "metrics.post.txt"
    } else {
        "metrics.txt"
    }
}

/// Whether the scenario alone decides how often something was measured. The pool decides for itself when it opens,
/// closes and hands out connections.
fn is_determined(metric: &str) -> bool {
    metric.starts_with("http.") || metric == "db.client.operation.duration"
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
        let text = &files["metrics.db.txt"];
        assert!(
            text.starts_with("METRIC http.server.request.duration histogram s Cumulative"),
            "{text}"
        );
        assert!(
            text.contains("server.port=<server.port> url.scheme=http -> 5 times\n"),
            "{text}"
        );
        assert_eq!(files.len(), 1);
    }
}

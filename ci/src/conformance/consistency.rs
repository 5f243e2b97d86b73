//! Spans and metrics tell the same story: for each span there is a series with the same outcome, and as much was measured
//! as there are spans.

use super::judge::Evidence;
use super::registry::Registry;
use super::report::Report;
use super::spans::rule_of;
use crate::contract::at_the_end;
use crate::signals::{Measure, MetricPoint, Span};

pub fn judge(evidence: &Evidence<'_>, registry: &Registry, report: &mut Report) {
    let received = evidence.received;
    let metrics = at_the_end(&received.metrics);
    for rule in registry.metrics.iter() {
        let Some(measured) = &rule.measures else {
            continue;
        };
        let series: Vec<&MetricPoint> = metrics
            .iter()
            .copied()
            .filter(|point| {
                let of = registry.metric(&point.name, &point.attributes);
                of.is_some_and(|of| std::ptr::eq(of, rule))
            })
            .collect();
        let of_the_rule =
            |span: &&Span| rule_of(span, registry).is_some_and(|of| of.id == *measured);
        let spans: Vec<&Span> = received.spans.iter().filter(of_the_rule).collect();
        for span in &spans {
            if !series.iter().any(|point| tells_of(point, span)) {
                let what = format!("no series has the outcome of the span ({})", outcome(span));
                report.violate(&rule.name, &span.name, what);
            }
        }
        let unsampled = if measured == "http.server" {
            evidence.unsampled
        } else {
            0
        };
        let (counted, expected) = (count(&series), spans.len() + unsampled);
        if counted != expected as u64 {
            let what = format!("measured {counted} times, but there were {expected} operations");
            report.violate(&rule.name, &rule.name, what);
        }
    }
}

fn count(series: &[&MetricPoint]) -> u64 {
    let counts = series.iter().map(|point| match &point.measure {
        Measure::Histogram { count, .. } => *count,
        Measure::Number(_) => 0,
    });
    counts.sum()
}

/// Whether a series counts operations like this: it agrees with the span in all it says, and names the same error.
fn tells_of(point: &MetricPoint, span: &Span) -> bool {
    let agrees = point
        .attributes
        .iter()
        .all(|(key, value)| span.attributes.get(key) == Some(value));
    agrees && point.attributes.get("error.type") == span.attributes.get("error.type")
}

fn outcome(span: &Span) -> String {
    let facts = [
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "rpc.method",
        "rpc.response.status_code",
        "error.type",
    ]
    .iter();
    let facts = facts.filter_map(|key| Some(format!("{key}={}", span.attributes.get(*key)?)));
    facts.collect::<Vec<_>>().join(" ")
}

//! Spans and metrics tell the same story: for each span there is a series with the same outcome.

use super::registry::Registry;
use super::report::Report;
use super::spans::rule_of;
use crate::receiver::Received;
use crate::signals::{MetricPoint, Span};

pub fn judge(received: &Received, registry: &Registry, report: &mut Report) {
    for rule in registry.metrics.iter() {
        let Some(measured) = &rule.measures else {
            continue;
        };
        let series: Vec<&MetricPoint> = received
            .metrics
            .iter()
            .filter(|point| point.name == rule.name)
            .collect();
        let spans = received.spans.iter();
        for span in
            spans.filter(|span| rule_of(span, registry).is_some_and(|of| of.id == *measured))
        {
            if !series.iter().any(|point| tells_of(point, span)) {
                let what = format!("no series has the outcome of the span ({})", outcome(span));
                report.violate(&rule.name, &span.name, what);
            }
        }
    }
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
        "error.type",
    ]
    .iter();
    let facts = facts.filter_map(|key| Some(format!("{key}={}", span.attributes.get(*key)?)));
    facts.collect::<Vec<_>>().join(" ")
}

//! Spans and metrics tell the same story: for each span there is a series with the same outcome, and as much was measured
//! as there are spans.

use super::judge::Evidence;
use super::registry::{MetricRule, Registry};
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
        if rule.unit == "s" {
            seconds(rule, &series, &spans, report);
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

/// What is measured in seconds lasted as long as the spans did: not a thousand times as long, nor a thousandth.
fn seconds(rule: &MetricRule, series: &[&MetricPoint], spans: &[&Span], report: &mut Report) {
    if series.is_empty() || spans.is_empty() {
        return; // which is said otherwise
    }
    /// Clocks are read one after the other, so the two are never the same.
    const TIMES: f64 = 20.0;
    const BESIDES: f64 = 0.1;
    let lasted = |span: &&Span| span.end.saturating_sub(span.start) as f64 / 1e9;
    let lasted: f64 = spans.iter().map(lasted).sum();
    let sums = series.iter().map(|point| match &point.measure {
        Measure::Histogram { sum, .. } => *sum,
        Measure::Number(_) => 0.0,
    });
    let measured: f64 = sums.sum();
    if measured > lasted * TIMES + BESIDES || lasted > measured * TIMES + BESIDES {
        let what = format!(
            "it sums up to {measured:.3}, where the spans lasted {lasted:.3} s: is it in seconds?"
        );
        report.violate(&rule.name, &rule.name, what);
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

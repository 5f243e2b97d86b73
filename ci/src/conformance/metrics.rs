//! Metrics: instrument, unit, bounds, temporality, attributes.

use std::collections::BTreeSet;

use super::condition::Facts;
use super::judge::{Evidence, judge_attributes};
use super::registry::{MetricRule, Registry};
use super::report::Report;
use crate::signals::{Instrument, Measure, MetricPoint, Temporality, Value};

/// Each series is judged once, however often it was exported.
pub fn judge(evidence: &Evidence<'_>, registry: &Registry, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for point in &evidence.received.metrics {
        if seen.insert((&point.name, format!("{:?}", point.attributes))) {
            series(point, evidence, registry, report);
        }
    }
}

fn series(point: &MetricPoint, evidence: &Evidence<'_>, registry: &Registry, report: &mut Report) {
    let name = point.name.as_str();
    let Some(rule) = registry.metric(name, &point.attributes) else {
        report.tally("metric").signals += 1;
        let what = match registry.metric_successor(name) {
            Some(new) => format!("metric `{name}` is deprecated; today it is {new}"),
            None => format!("metric `{name}` is in no registry"),
        };
        report.violate("metric", name, what);
        return;
    };
    report.tally(name).signals += 1;
    let facts = Facts {
        failed: failed(point),
        // A call that its caller gave up has neither an answer nor an error.
        cancelled: name.starts_with("http.client.") && !evidence.cancelled.is_empty(),
        query_sent: None,
    };
    judge_attributes(
        &rule.row,
        name,
        name,
        &point.attributes,
        &facts,
        registry,
        report,
    );
    form(point, rule, &mut |what| report.violate(name, name, what));
}

fn form(point: &MetricPoint, rule: &MetricRule, say: &mut impl FnMut(String)) {
    if point.instrument != rule.instrument {
        say(format!(
            "it is a {}, not a {}",
            point.instrument, rule.instrument
        ));
    }
    if point.unit != rule.unit {
        say(format!("its unit is `{}`, not `{}`", point.unit, rule.unit));
    }
    if point.description.is_empty() {
        say("it has no description".to_owned());
    }
    if point.temporality != Temporality::Cumulative && point.instrument != Instrument::Gauge {
        say(format!(
            "its temporality is {:?}, not the default",
            point.temporality
        ));
    }
    match &point.measure {
        Measure::Histogram { bounds, .. } if !rule.bounds.is_empty() && *bounds != rule.bounds => {
            say(format!("its bounds are {bounds:?}, not {:?}", rule.bounds));
        }
        // In seconds: the SDK's default bounds are made for milliseconds.
        Measure::Histogram { bounds, .. }
            if rule.unit == "s" && bounds.last().is_some_and(|last| *last > 1000.0) =>
        {
            say("its bounds are not made for seconds".to_owned());
        }
        Measure::Histogram {
            count,
            sum,
            buckets,
            ..
        } if buckets.iter().sum::<u64>() != *count || *sum < 0.0 => {
            say("its counts contradict one another".to_owned());
        }
        Measure::Number(value) if value.is_nan() => say("it has no value".to_owned()),
        _ => {}
    }
    if point.attributes.contains_key("otel.metric.overflow") {
        say("it has more series than the SDK allows".to_owned());
    }
}

/// Metrics have no status: their response's code, or that there was none, says whether they count a failure. A database
/// has no such code, so there the presence of `error.type` is what it is.
fn failed(point: &MetricPoint) -> bool {
    let code = point
        .attributes
        .get("http.response.status_code")
        .and_then(Value::as_int);
    let error = point.attributes.contains_key("error.type");
    match (point.name.as_str(), code) {
        (name, Some(code)) if name.starts_with("http.server.") => code >= 500,
        (name, Some(code)) if name.starts_with("http.client.") => code >= 400,
        _ => error,
    }
}

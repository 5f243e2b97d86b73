//! Log records, exceptions and resources.

use super::condition::Facts;
use super::judge::{judge_attributes, judge_value};
use super::registry::Registry;
use super::report::Report;
use crate::receiver::Received;
use crate::signals::{Attributes, LogRecord, Resource, Value};

/// Events with a name fall under its rule; for other records only the form and old names are judged.
pub fn judge_log(log: &LogRecord, registry: &Registry, report: &mut Report) {
    let signal = log.body.to_string();
    if log.event_name.is_empty() {
        report.tally("log").signals += 1;
        for (key, value) in &log.attributes {
            match registry.successor(key) {
                Some(new) => report.violate(
                    "log",
                    &signal,
                    format!("`{key}` is deprecated; today it is {new}"),
                ),
                None => judge_value("log", &signal, key, value, registry, report),
            }
        }
        if log.body == Value::Empty {
            report.violate("log", &log.scope.name, "it has no body");
        }
    } else {
        judge_event(&log.event_name, &signal, &log.attributes, registry, report);
    }
    let rule = if log.event_name.is_empty() {
        "log"
    } else {
        log.event_name.as_str()
    };
    if !(1..=24).contains(&log.severity) || log.severity_text.is_empty() {
        report.violate(rule, &signal, "it has no severity");
    }
    if log.time == 0 && log.observed == 0 {
        report.violate(rule, &signal, "it has no time");
    }
    let is_known = |id: &Option<String>| {
        id.as_ref()
            .is_some_and(|id| id.bytes().any(|digit| digit != b'0'))
    };
    if log.attributes.contains_key("session.id") && !is_known(&log.trace_id) {
        report.violate(rule, &signal, "it belongs to a session, but names no trace");
    }
    if log.trace_id.is_some() != log.span_id.is_some() {
        report.violate(
            rule,
            &signal,
            "it names a trace without a span, or a span without a trace",
        );
    }
}

/// A span event or a log record with an event name.
pub fn judge_event(
    name: &str,
    signal: &str,
    attributes: &Attributes,
    registry: &Registry,
    report: &mut Report,
) {
    // `http.server.request.exception` and its like have the attributes of `exception`.
    let last = name.rsplit('.').next().unwrap_or(name);
    match registry.events.iter().find(|rule| rule.name == last) {
        Some(rule) => {
            report.tally(&rule.name).signals += 1;
            judge_attributes(
                &rule.row,
                &rule.name,
                signal,
                attributes,
                &Facts::default(),
                registry,
                report,
            );
        }
        None => report.violate("event", signal, format!("event `{name}` is in no registry")),
    }
}

/// All signals of a run come from one service instance, so they have one resource.
pub fn judge_resources(received: &Received, registry: &Registry, report: &mut Report) {
    let mut distinct: Vec<&Resource> = Vec::new();
    let all = (received.spans.iter().map(|span| &span.resource))
        .chain(received.metrics.iter().map(|point| &point.resource))
        .chain(received.logs.iter().map(|log| &log.resource));
    for resource in all {
        if !distinct.contains(&resource.as_ref()) {
            distinct.push(resource);
        }
    }
    if distinct.len() > 1 {
        report.violate(
            "resource",
            "resource",
            "the signals of one service have different resources",
        );
    }
    for resource in distinct {
        judge_resource(&resource.attributes, registry, report);
    }
}

fn judge_resource(attributes: &Attributes, registry: &Registry, report: &mut Report) {
    for rule in &registry.entities {
        let own: Attributes = attributes
            .iter()
            .filter(|(key, _)| rule.row.knows(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if rule.demanded || !own.is_empty() {
            report.tally(&rule.id).signals += 1;
            judge_attributes(
                &rule.row,
                &rule.id,
                "resource",
                &own,
                &Facts::default(),
                registry,
                report,
            );
        }
    }
    for key in attributes.keys() {
        if let Some(new) = registry.successor(key) {
            report.violate(
                "resource",
                "resource",
                format!("`{key}` is deprecated; today it is {new}"),
            );
        } else if !registry.entities.iter().any(|rule| rule.row.knows(key)) {
            report.violate(
                "resource",
                "resource",
                format!("`{key}` does not belong here"),
            );
        }
    }
    let text = |key: &str| {
        attributes
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if text("service.name").starts_with("unknown_service") {
        report.violate(
            "service",
            "resource",
            "`service.name` is the SDK's fallback",
        );
    }
    let id = text("service.instance.id");
    if !id.is_empty() && (id.len() != 36 || id.matches('-').count() != 4) {
        report.violate(
            "service.instance",
            "resource",
            "`service.instance.id` is no UUID",
        );
    }
}

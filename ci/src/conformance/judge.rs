//! The judgement as a whole, and what all rows have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Facts;
use super::registry::{Registry, Row, Waiver};
use super::report::Report;
use super::{consistency, exceptions, metrics, others, spans};
use crate::receiver::Received;
use crate::signals::{Attributes, TraceId, Value};

/// What was received, and what is known of the requests behind it.
#[derive(Debug)]
pub struct Evidence<'a> {
    pub received: &'a Received,
    /// Whether the request of a trace had a query.
    pub queries: BTreeMap<TraceId, bool>,
    /// Traces whose client hung up.
    pub cancelled: BTreeSet<TraceId>,
    /// Requests that were measured but whose caller chose not to sample.
    pub unsampled: usize,
}

/// Judges every span, metric, log record and resource.
pub fn judge(evidence: &Evidence<'_>, registry: &Registry) -> Report {
    let mut report = Report::default();
    for span in &evidence.received.spans {
        spans::judge(span, evidence, registry, &mut report);
    }
    metrics::judge(evidence, registry, &mut report);
    for log in &evidence.received.logs {
        others::judge_log(log, registry, &mut report);
    }
    others::judge_resources(evidence.received, registry, &mut report);
    consistency::judge(evidence, registry, &mut report);
    exceptions::judge(evidence.received, &mut report);
    waive(registry, &mut report);
    report
}

/// Attributes against a row: levels, types, values, unknown and deprecated names.
pub fn judge_attributes(
    row: &Row,
    rule: &str,
    signal: &str,
    attributes: &Attributes,
    facts: &Facts,
    registry: &Registry,
    report: &mut Report,
) {
    for key in &row.required {
        let present = attributes.contains_key(key);
        report.tally(rule).required.count(present);
        if !present {
            report.violate(rule, signal, format!("required `{key}` is missing"));
        }
    }
    for (key, condition) in &row.conditional {
        let present = attributes.contains_key(key);
        match condition.holds(attributes, facts) {
            Some(true) => {
                report.tally(rule).conditional.count(present);
                if !present {
                    report.violate(
                        rule,
                        signal,
                        format!("conditionally required `{key}` is missing"),
                    );
                }
            }
            Some(false) if present && condition.is_strict() => {
                report.violate(
                    rule,
                    signal,
                    format!("`{key}` is there, but its condition ({condition:?}) does not hold"),
                );
            }
            _ => {}
        }
    }
    for (key, condition) in &row.recommended {
        if condition.holds(attributes, facts) == Some(true) {
            let present = attributes.contains_key(key);
            let tally = report.tally(rule);
            tally.recommended.count(present);
            if !present {
                *tally.missing.entry(key.clone()).or_default() += 1;
            }
        }
    }
    if !row.one_of.is_empty() && !row.one_of.iter().any(|key| attributes.contains_key(key)) {
        report.violate(
            rule,
            signal,
            format!("none of {} is there", row.one_of.join(", ")),
        );
    }
    for (key, value) in attributes {
        if let Some(new) = registry.successor(key) {
            report.violate(
                rule,
                signal,
                format!("`{key}` is deprecated; today it is {new}"),
            );
        } else if !row.knows(key) {
            report.violate(rule, signal, format!("`{key}` does not belong here"));
        } else {
            judge_value(rule, signal, key, value, registry, report);
        }
    }
}

/// Type and closed values of an attribute.
pub fn judge_value(
    rule: &str,
    signal: &str,
    key: &str,
    value: &Value,
    registry: &Registry,
    report: &mut Report,
) {
    let Some(definition) = registry.attributes.get(key) else {
        return;
    };
    let actual = value.type_name();
    if actual != definition.of_type {
        report.violate(
            rule,
            signal,
            format!("`{key}` is of type {actual}, not {}", definition.of_type),
        );
    } else if value.as_str().is_some_and(str::is_empty) && !MAY_BE_EMPTY.contains(&key) {
        report.violate(rule, signal, format!("`{key}` is empty"));
    } else if let Some(text) = value.as_str()
        && !definition.values.is_empty()
        && !definition.values.iter().any(|allowed| allowed == text)
    {
        report.violate(
            rule,
            signal,
            format!(
                "`{key}` is `{text}`, which is none of {}",
                definition.values.join(", ")
            ),
        );
    }
}

/// What a user typed, or did not.
const MAY_BE_EMPTY: [&str; 4] = [
    "search.filters",
    "search.query",
    "url.query",
    "exception.message",
];

/// Missing recommended attributes become violations, except those with a waiver. A waiver that no signal needs is one
/// too.
fn waive(registry: &Registry, report: &mut Report) {
    let tallies = report.tallies.clone();
    for (rule, tally) in &tallies {
        for (key, times) in &tally.missing {
            let waiver = registry
                .waivers
                .iter()
                .find(|waiver| waiver.rule == *rule && waiver.attribute == *key);
            match waiver {
                Some(waiver) => report
                    .waived
                    .push(format!("{rule}: {key} ({times} times): {}", waiver.reason)),
                None => report.violate(
                    rule,
                    rule,
                    format!("recommended `{key}` is missing, {times} times"),
                ),
            }
        }
        let stale =
            |waiver: &Waiver| !waiver.sometimes && !tally.missing.contains_key(&waiver.attribute);
        for waiver in registry
            .waivers
            .iter()
            .filter(|waiver| waiver.rule == *rule && stale(waiver))
        {
            report.violate(
                rule,
                rule,
                format!(
                    "the waiver for `{}` is not needed any more",
                    waiver.attribute
                ),
            );
        }
    }
}

//! Seeded violations: each must be found and named, and well-formed signals must pass.

use std::collections::{BTreeMap, BTreeSet};

mod others;
mod redis;
mod spans;

use super::*;
use crate::receiver::Received;
use crate::signals::{
    Event, Instrument, Kind, LogRecord, Measure, MetricPoint, Resource, Span, Status, samples,
};

fn judged(received: &Received) -> Report {
    let registry = Registry::load().unwrap();
    let evidence = Evidence {
        received,
        queries: BTreeMap::new(),
        cancelled: BTreeSet::new(),
        unsampled: 0,
    };
    judge(&evidence, &registry)
}

/// The violations, without the ones that every sample has: it is not complete enough to need all waivers, and a single
/// span has no metric beside it.
fn violations(received: &Received) -> Vec<String> {
    let report = judged(received);
    let texts = report
        .violations
        .iter()
        .map(|violation| format!("{}: {}", violation.rule, violation.what));
    texts
        .filter(|text| {
            let of_the_sample = ["waiver", "no series has", ": measured "];
            !of_the_sample.iter().any(|words| text.contains(words))
        })
        .collect()
}

fn of_span(span: Span) -> Vec<String> {
    violations(&Received {
        spans: vec![span],
        ..Received::default()
    })
}

fn of_metric(change: impl FnOnce(&mut MetricPoint)) -> Vec<String> {
    let mut point = samples::duration();
    change(&mut point);
    violations(&Received {
        metrics: vec![point],
        ..Received::default()
    })
}

fn of_log(change: impl FnOnce(&mut LogRecord)) -> Vec<String> {
    let mut record = samples::exception();
    change(&mut record);
    violations(&Received {
        logs: vec![record],
        ..Received::default()
    })
}

fn server() -> Span {
    samples::trace().0
}

fn inner() -> Span {
    samples::trace().1
}

fn database() -> Span {
    samples::trace().2
}

#[track_caller]
fn assert_named(found: &[String], expected: &str) {
    assert!(
        found.iter().any(|text| text == expected),
        "expected `{expected}` among {found:#?}"
    );
}

#[test]
fn well_formed_signals_pass() {
    let (server, inner, database) = samples::trace();
    let received = Received {
        spans: vec![server, inner, database, samples::http_client()],
        metrics: vec![samples::duration()],
        logs: vec![samples::exception()],
        exports: [1, 0],
    };
    assert_eq!(violations(&received), Vec::<String>::new());
    let report = judged(&received);
    let tally = &report.tallies["http.server"];
    assert_eq!(
        (
            tally.signals,
            tally.required.present,
            tally.required.demanded
        ),
        (1, 3, 3)
    );
    assert_eq!(tally.recommended.present, tally.recommended.demanded);
}

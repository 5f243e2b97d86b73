//! Seeded violations: each must be found and named, and well-formed signals must pass.

use std::collections::{BTreeMap, BTreeSet};

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
        .filter(|text| !text.contains("waiver") && !text.contains("no series has"))
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

#[test]
fn attributes_that_must_be_there() {
    assert_named(
        &of_span(server().without("url.path")),
        "http.server: required `url.path` is missing",
    );
    assert_named(
        &of_span(samples::http_client().without("url.full")),
        "http.client: required `url.full` is missing",
    );
    let without_route = server().without("http.route");
    assert_named(
        &of_span(without_route),
        "http.server: conditionally required `http.route` is missing",
    );
    let without_port = server().without("server.port");
    assert_named(
        &of_span(without_port),
        "http.server: conditionally required `server.port` is missing",
    );
    let without_peer = server()
        .without("network.peer.address")
        .without("network.peer.port");
    assert_named(
        &of_span(without_peer),
        "http.server: recommended `network.peer.address` is missing, 1 times",
    );
    let other = Span {
        name: "HTTP /users/{id}".to_owned(),
        ..server().with("http.request.method", "_OTHER")
    };
    assert_named(
        &of_span(other),
        "http.server: conditionally required `http.request.method_original` is missing",
    );
    let postgres = database().with("db.system.name", "postgresql");
    assert_named(
        &of_span(postgres),
        "db.client: recommended `server.address` is missing, 1 times",
    );
    assert_named(
        &of_span(inner().without("db.result")),
        "db.get_user: conditionally required `db.result` is missing",
    );
}

#[test]
fn attributes_that_must_not_be_there() {
    let old = server().with("http.status_code", 200);
    assert_named(
        &of_span(old),
        "http.server: `http.status_code` is deprecated; today it is http.response.status_code",
    );
    let old = database().with("net.sock.peer.addr", "::1");
    assert_named(
        &of_span(old),
        "db.client: `net.sock.peer.addr` is deprecated; today it is network.*",
    );
    let header = server().with("http.request.header.authorization", "Bearer x");
    assert_named(
        &of_span(header),
        "http.server: `http.request.header.authorization` does not belong here",
    );
    let thread = inner().with("thread.id", 1);
    assert_named(
        &of_span(thread),
        "db.get_user: `thread.id` does not belong here",
    );
    let unfailed = server().with("error.type", "500");
    assert_named(
        &of_span(unfailed),
        "http.server: `error.type` is there, but its condition (Failed) does not hold",
    );
}

#[test]
fn types_and_closed_values() {
    let text = server().with("http.response.status_code", "200");
    assert_named(
        &of_span(text),
        "http.server: `http.response.status_code` is of type string, not int",
    );
    let method = Span {
        name: "FROB /users/{id}".to_owned(),
        ..server().with("http.request.method", "FROB")
    };
    assert!(
        of_span(method)
            .iter()
            .any(|text| text.contains("`http.request.method` is `FROB`, which is none of"))
    );
    assert_named(
        &of_span(server().with("server.address", "")),
        "http.server: `server.address` is empty",
    );
}

#[test]
fn names_and_kinds() {
    let path = Span {
        name: "GET /users/1".to_owned(),
        ..server()
    };
    assert_named(
        &of_span(path),
        "http.server: its name is `GET /users/1`, not `GET /users/{id}`",
    );
    let table = Span {
        name: "users".to_owned(),
        ..database()
    };
    assert_named(
        &of_span(table),
        "db.client: its name is `users`, not `SELECT users`",
    );
    let internal = Span {
        kind: Kind::Internal,
        ..database()
    };
    assert_named(
        &of_span(internal),
        "span: a INTERNAL span of telemetry.sql that no rule covers",
    );
    let bare = Span {
        attributes: BTreeMap::new(),
        ..samples::http_client()
    };
    assert_named(
        &of_span(bare),
        "span: a CLIENT span of telemetry.http_client that no rule covers",
    );
}

#[test]
fn statuses() {
    let error = |span: Span, text: &str| Span {
        status: Status::Error(text.to_owned()),
        ..span
    };
    let not_found = error(
        server()
            .with("http.response.status_code", 404)
            .with("error.type", "404"),
        "",
    );
    assert_named(
        &of_span(not_found),
        "http.server: its status is Error for a 404",
    );
    let unset = samples::http_client().with("http.response.status_code", 404);
    assert_named(
        &of_span(unset),
        "http.client: its status is not Error for a 404",
    );
    let broken = error(
        server()
            .with("http.response.status_code", 500)
            .with("error.type", "500"),
        "500 oops",
    );
    assert_named(
        &of_span(broken),
        "http.server: its status repeats the status code",
    );
    let nameless = error(server().with("http.response.status_code", 500), "");
    assert_named(
        &of_span(nameless),
        "http.server: conditionally required `error.type` is missing",
    );
    let ok = Span {
        status: Status::Ok,
        ..server()
    };
    assert_named(
        &of_span(ok),
        "http.server: its status is Ok; success leaves it unset",
    );
    let code = error(database().with("error.type", "2067"), "");
    assert_named(
        &of_span(code),
        "db.client: conditionally required `db.response.status_code` is missing",
    );
    let differing = error(
        database()
            .with("error.type", "2067")
            .with("db.response.status_code", "1"),
        "",
    );
    assert_named(
        &of_span(differing),
        "db.client: `error.type` is not the database's code",
    );
}

#[test]
fn secrets() {
    let userinfo = samples::http_client().with("url.full", "http://user:word@127.0.0.1:9000/hello");
    assert_named(
        &of_span(userinfo),
        "http.client: `url.full` holds credentials",
    );
    let signed = samples::http_client().with("url.full", "http://127.0.0.1:9000/hello?a=1&sig=abc");
    assert_named(
        &of_span(signed),
        "http.client: `url.full` holds the value of `sig`, which must be REDACTED",
    );
    let literal = database().with("db.query.text", "SELECT id FROM users WHERE name = 'Ada'");
    assert_named(
        &of_span(literal),
        "db.client: `db.query.text` holds a literal",
    );
}

#[test]
fn the_form_of_spans() {
    let twice = Span {
        duplicate_keys: vec!["url.path".to_owned()],
        ..server()
    };
    assert_named(&of_span(twice), "http.server: `url.path` was sent twice");
    let dropped = Span {
        dropped: 2,
        ..server()
    };
    assert_named(
        &of_span(dropped),
        "http.server: 2 attributes, events or links were dropped",
    );
    let backwards = Span {
        end: 0,
        start: 1,
        ..server()
    };
    assert_named(&of_span(backwards), "http.server: it ends before it starts");
    let event = Event {
        name: "started".to_owned(),
        time: 0,
        attributes: BTreeMap::new(),
    };
    let eventful = Span {
        events: vec![event],
        ..server()
    };
    assert_named(
        &of_span(eventful),
        "event: event `started` is in no registry",
    );
}

#[test]
fn metrics() {
    assert_named(
        &of_metric(|point| point.unit = "ms".to_owned()),
        "http.server.request.duration: its unit is `ms`, not `s`",
    );
    assert_named(
        &of_metric(|point| point.instrument = Instrument::Gauge),
        "http.server.request.duration: it is a gauge, not a histogram",
    );
    let milliseconds = of_metric(|point| {
        point.measure = Measure::Histogram {
            count: 0,
            sum: 0.0,
            bounds: vec![5.0, 10_000.0],
            buckets: vec![0, 0, 0],
        };
    });
    assert!(
        milliseconds
            .iter()
            .any(|text| text.contains("its bounds are [5.0, 10000.0], not [0.005,"))
    );
    assert_named(
        &of_metric(|point| point.name = "http.server.duration".to_owned()),
        "metric: metric `http.server.duration` is deprecated; today it is http.server.request.duration",
    );
    assert_named(
        &of_metric(|point| point.name = "requests_total".to_owned()),
        "metric: metric `requests_total` is in no registry",
    );
    assert_named(
        &of_metric(|point| {
            _ = point
                .attributes
                .insert("session.id".to_owned(), "s-1".into())
        }),
        "http.server.request.duration: `session.id` does not belong here",
    );
    assert_named(
        &of_metric(|point| {
            _ = point
                .attributes
                .insert("http.response.status_code".to_owned(), 503.into())
        }),
        "http.server.request.duration: conditionally required `error.type` is missing",
    );
}

#[test]
fn spans_and_metrics_agree() {
    let mut point = samples::duration();
    point
        .attributes
        .insert("http.response.status_code".to_owned(), 201.into());
    let received = Received {
        spans: vec![server()],
        metrics: vec![point],
        ..Received::default()
    };
    let report = judged(&received);
    let texts: Vec<_> = report
        .violations
        .iter()
        .map(|violation| violation.what.as_str())
        .collect();
    let expected = "no series has the outcome of the span (http.request.method=GET http.route=/users/{id} http.response.status_code=200)";
    assert!(texts.contains(&expected), "{texts:#?}");
}

#[test]
fn log_records() {
    assert_named(
        &of_log(|log| log.severity = 0),
        "exception: it has no severity",
    );
    assert_named(
        &of_log(|log| log.span_id = None),
        "exception: it names a trace without a span, or a span without a trace",
    );
    assert_named(
        &of_log(|log| {
            log.attributes
                .retain(|key, _| key == "exception.stacktrace")
        }),
        "exception: none of exception.type, exception.message is there",
    );
    assert_named(
        &of_log(|log| log.event_name = "event src/main.rs:1".to_owned()),
        "event: event `event src/main.rs:1` is in no registry",
    );
    let old = of_log(|log| {
        log.event_name.clear();
        log.attributes.insert("code.lineno".to_owned(), 1.into());
    });
    assert_named(
        &old,
        "log: `code.lineno` is deprecated; today it is code.line.number",
    );
}

#[test]
fn resources() {
    let with = |change: fn(&mut Resource)| {
        let mut resource = (*samples::resource()).clone();
        change(&mut resource);
        of_span(Span {
            resource: resource.into(),
            ..server()
        })
    };
    let old = with(|resource| {
        _ = resource
            .attributes
            .insert("deployment.environment".to_owned(), "test".into())
    });
    assert_named(
        &old,
        "resource: `deployment.environment` is deprecated; today it is deployment.environment.name",
    );
    let arguments = with(|resource| {
        _ = resource
            .attributes
            .insert("process.command_args".to_owned(), "--key".into())
    });
    assert_named(
        &arguments,
        "resource: `process.command_args` does not belong here",
    );
    let fallback = with(|resource| {
        _ = resource
            .attributes
            .insert("service.name".to_owned(), "unknown_service:x".into())
    });
    assert_named(&fallback, "service: `service.name` is the SDK's fallback");
    let nameless = with(|resource| _ = resource.attributes.remove("service.name"));
    assert_named(&nameless, "service: required `service.name` is missing");
    let two = Received {
        spans: vec![
            server(),
            Span {
                resource: Resource::default().into(),
                ..inner()
            },
        ],
        ..Received::default()
    };
    assert_named(
        &violations(&two),
        "resource: the signals of one service have different resources",
    );
}

#[test]
fn a_waiver_that_is_not_needed_is_reported() {
    let mut resource = (*samples::resource()).clone();
    resource
        .attributes
        .insert("host.type".to_owned(), "m1.large".into());
    let span = Span {
        resource: resource.into(),
        ..server()
    };
    let report = judged(&Received {
        spans: vec![span],
        ..Received::default()
    });
    let texts: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
    let expected = "host: the waiver for `host.type` is not needed any more (on `host`)";
    assert!(texts.iter().any(|text| text == expected), "{texts:#?}");
    // A stack trace is there sometimes.
    let report = judged(&Received {
        logs: vec![samples::exception()],
        ..Received::default()
    });
    let texts: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
    assert!(
        !texts
            .iter()
            .any(|text| text.contains("exception.stacktrace")),
        "{texts:#?}"
    );
}

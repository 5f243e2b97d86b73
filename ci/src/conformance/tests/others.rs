//! Violations of metrics, log records and resources, and of signals among one another.

use super::*;

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
fn as_much_is_measured_as_there_are_spans() {
    let received = Received {
        spans: vec![server(), server()],
        metrics: vec![samples::duration()],
        ..Received::default()
    };
    let report = judged(&received);
    let mut texts = report.violations.iter().map(|violation| &violation.what);
    assert!(texts.any(|what| what == "measured 1 times, but there were 2 operations"));
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

#[test]
fn a_log_record_of_a_session_leads_to_its_trace() {
    let expected = "exception: it belongs to a session, but names no trace";
    let in_a_session = |trace: Option<&str>| {
        of_log(|log| {
            log.attributes.insert("session.id".to_owned(), "s-1".into());
            log.trace_id = trace.map(str::to_owned);
            log.span_id = trace.map(|_| "00000000000000a1".to_owned());
        })
    };
    assert_named(&in_a_session(None), expected);
    assert_named(&in_a_session(Some(&"0".repeat(32))), expected);
    assert!(in_a_session(Some(&"a".repeat(32))).is_empty());
}

#[test]
fn durations_are_in_seconds() {
    let lasting = |nanoseconds: u64, measured: f64| {
        let mut span = server();
        span.end = span.start + nanoseconds;
        let mut point = samples::duration();
        if let Measure::Histogram { sum, .. } = &mut point.measure {
            *sum = measured;
        }
        let received = Received {
            spans: vec![span],
            metrics: vec![point],
            ..Received::default()
        };
        violations(&received)
    };
    assert!(lasting(2_000_000_000, 2.1).is_empty());
    for wrong in [2_100.0, 0.002] {
        let found = lasting(2_000_000_000, wrong);
        assert!(found[0].ends_with("is it in seconds?"), "{found:?}");
    }
}

#[test]
fn an_exception_is_recorded_once() {
    let attributes = samples::exception().attributes;
    let raising = |mut span: Span| {
        span.events.push(Event {
            name: "exception".to_owned(),
            time: 1,
            attributes: attributes.clone(),
        });
        span
    };
    let (server, inner, database) = samples::trace();
    let found = |spans: Vec<Span>, logs: Vec<LogRecord>| {
        violations(&Received {
            spans,
            logs,
            ..Received::default()
        })
    };
    let expected = "exception: `Panic` (it broke) is on record twice";
    // On a span and in the log, twice on one span, and on a span and one below it.
    let twice = [
        found(vec![raising(server.clone())], vec![samples::exception()]),
        found(vec![raising(raising(server.clone()))], Vec::new()),
        found(
            vec![
                raising(server.clone()),
                inner.clone(),
                raising(database.clone()),
            ],
            Vec::new(),
        ),
    ];
    for found in &twice {
        assert_named(found, expected);
    }
    let mut elsewhere = raising(server.clone());
    elsewhere.trace_id = "a".repeat(32);
    let apart = [
        found(vec![raising(server.clone()), elsewhere], Vec::new()),
        found(vec![server, inner, raising(database)], Vec::new()),
    ];
    assert_eq!(apart, [Vec::<String>::new(), Vec::new()]);
}

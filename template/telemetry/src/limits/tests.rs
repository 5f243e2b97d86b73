use std::collections::HashMap;

use opentelemetry::{
    Array, Key, KeyValue, Value,
    logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    trace::{Span as _, SpanContext, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider, SimpleLogProcessor},
    trace::{InMemorySpanExporter, SdkTracerProvider, SimpleSpanProcessor, SpanData},
};

use super::*;

fn limits(vars: &'static [(&'static str, &'static str)]) -> Limits {
    let mut env = Env::new(move |name| {
        let found = vars.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    let limits = Limits::read(&mut env);
    assert_eq!(env.warnings, [""; 0]);
    limits
}

/// A span with three attributes, events and links, each event and link with two attributes.
fn span(vars: &'static [(&'static str, &'static str)]) -> SpanData {
    let limits = limits(vars);
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_span_limits(limits.spans)
        .with_span_processor(LimitedSpans {
            inner: SimpleSpanProcessor::new(exporter.clone()),
            value_length: limits.span_value_length,
        })
        .build();
    let mut span = provider.tracer("test").start("span");
    let texts = Array::String(vec!["ä€😀".into(), "b".into()]);
    span.set_attribute(KeyValue::new("text", "ä€😀!"));
    span.set_attribute(KeyValue::new("texts", Value::Array(texts)));
    span.set_attribute(KeyValue::new("number", 12_345));
    for _ in 0..3 {
        let two = || vec![KeyValue::new("a", "long"), KeyValue::new("b", true)];
        span.add_event("event", two());
        span.add_link(SpanContext::empty_context(), two());
    }
    drop(span);
    let mut spans = exporter.get_finished_spans().expect("the exporter works");
    spans.pop().expect("a span")
}

#[test]
fn values_are_cut_to_so_many_characters_wherever_they_are_on_a_span() {
    for vars in [
        &[("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2")] as &[_],
        &[
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
            ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2"),
        ],
    ] {
        let span = span(vars);
        let values: Vec<String> = span
            .attributes
            .iter()
            .map(|a| a.value.to_string())
            .collect();
        assert_eq!(values, ["ä€", "[\"ä€\",\"b\"]", "12345"]);
        let event = &span.events.events[0].attributes;
        let link = &span.links.links[0].attributes;
        for attributes in [event, link] {
            assert_eq!(attributes[0].value.as_str(), "lo");
            assert_eq!(attributes[1].value, Value::Bool(true));
        }
    }
}

#[test]
fn without_a_limit_nothing_is_cut() {
    let span = span(&[]);
    assert_eq!(span.attributes[0].value.as_str(), "ä€😀!");
    assert_eq!(span.events.events[2].attributes[0].value.as_str(), "long");
}

#[test]
fn attributes_events_and_links_are_counted() {
    let counts = |vars| {
        let span: SpanData = span(vars);
        let of_event = span
            .events
            .events
            .first()
            .map(|event| event.attributes.len());
        let of_link = span.links.links.first().map(|link| link.attributes.len());
        (
            (span.attributes.len(), span.dropped_attributes_count),
            (span.events.events.len(), of_event),
            (span.links.links.len(), of_link),
        )
    };
    let all = ((3, 0), (3, Some(2)), (3, Some(2)));
    assert_eq!(counts(&[]), all);
    assert_eq!(
        counts(&[("OTEL_ATTRIBUTE_COUNT_LIMIT", "1")]),
        ((1, 2), all.1, all.2)
    );
    assert_eq!(
        counts(&[
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")
        ]),
        ((2, 1), all.1, all.2)
    );
    assert_eq!(
        counts(&[("OTEL_SPAN_EVENT_COUNT_LIMIT", "1")]),
        (all.0, (1, Some(2)), all.2)
    );
    assert_eq!(
        counts(&[("OTEL_SPAN_LINK_COUNT_LIMIT", "2")]),
        (all.0, all.1, (2, Some(2)))
    );
    assert_eq!(
        counts(&[("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "1")]),
        (all.0, (3, Some(1)), all.2)
    );
    assert_eq!(
        counts(&[("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0")]),
        (all.0, all.1, (3, Some(0)))
    );
}

/// What becomes of a record with a text, bytes, a list and a map.
fn log(vars: &'static [(&'static str, &'static str)]) -> SdkLogRecord {
    let exporter = InMemoryLogExporter::default();
    let inner = SimpleLogProcessor::new(exporter.clone());
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(LimitedLogs::new(inner, &limits(vars)))
        .build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    record.set_event_name("event");
    record.set_target("target");
    record.set_body("a body is no attribute".into());
    record.set_severity_text("INFO");
    record.set_severity_number(Severity::Info);
    record.set_timestamp(std::time::UNIX_EPOCH);
    record.set_trace_context(1.into(), 2.into(), None);
    record.add_attribute("text", "abc");
    record.add_attribute("bytes", AnyValue::Bytes(Box::new(vec![1, 2, 3])));
    record.add_attribute(
        "list",
        AnyValue::ListAny(Box::new(vec!["abc".into(), 7.into()])),
    );
    let map = HashMap::from([(Key::new("key"), "abc".into())]);
    record.add_attribute("map", AnyValue::Map(Box::new(map)));
    logger.emit(record);
    let mut logs = exporter.get_emitted_logs().expect("the exporter works");
    logs.pop().expect("a record").record
}

#[test]
fn log_records_have_limits_of_their_own_and_lose_nothing_else() {
    let whole = log(&[("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1")]);
    assert_eq!(whole.attributes_iter().count(), 4);

    for vars in [
        &[("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2")] as &[_],
        &[("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2")],
    ] {
        let short = log(vars);
        let values: Vec<&AnyValue> = short.attributes_iter().map(|(_, value)| value).collect();
        let map = HashMap::from([(Key::new("key"), "ab".into())]);
        let expected = [
            &"ab".into(),
            &AnyValue::Bytes(Box::new(vec![1, 2])),
            &AnyValue::ListAny(Box::new(vec!["ab".into(), 7.into()])),
            &AnyValue::Map(Box::new(map)),
        ];
        assert_eq!(values, expected);
        assert_eq!(
            (short.event_name(), short.target(), short.body()),
            (whole.event_name(), whole.target(), whole.body())
        );
        assert_eq!(
            (
                short.severity_text(),
                short.severity_number(),
                short.timestamp()
            ),
            (
                whole.severity_text(),
                whole.severity_number(),
                whole.timestamp()
            )
        );
        assert_eq!(short.trace_context(), whole.trace_context());
        assert!(short.observed_timestamp().is_some());
    }

    for vars in [
        &[("OTEL_ATTRIBUTE_COUNT_LIMIT", "2")] as &[_],
        &[("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "2")],
    ] {
        let few = log(vars);
        let keys: Vec<&str> = few.attributes_iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["text", "bytes"]);
    }
}

#[test]
fn a_bad_limit_is_said_and_is_none() {
    let mut env = Env::new(|name| name.ends_with("_LIMIT").then(|| "-1".to_owned()));
    let limits = Limits::read(&mut env);
    assert_eq!(
        (limits.span_value_length, limits.log_value_length),
        (None, None)
    );
    assert_eq!(
        (limits.log_attributes, limits.spans.max_attributes_per_span),
        (128, 128)
    );
    assert_eq!(env.warnings.len(), 10);
    assert!(env.warnings[0].ends_with("allowed: a whole number, 0 or more"));
}

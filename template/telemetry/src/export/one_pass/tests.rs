use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    Array, InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    trace::{Event, Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::trace::tonic::group_spans_by_resource_and_scope,
};
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
use proptest::{collection::vec, option, prelude::*};
use prost::Message as _;

use super::{retry::Again, *};

/// Shorter and longer than one, two and three bytes of length can say, and half as long, for what holds two of them.
fn text() -> impl Strategy<Value = String> {
    let long = prop_oneof![55_usize..66, Just(127), Just(128), Just(16_384)];
    prop_oneof![8 => ".{0,20}", 2 => long.prop_map(|length| "x".repeat(length))]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::F64),
        text().prop_map(|text| Value::String(text.into())),
        vec(any::<bool>(), 0..3).prop_map(|values| Value::Array(Array::Bool(values))),
        vec(any::<i64>(), 0..3).prop_map(|values| Value::Array(Array::I64(values))),
        vec(any::<f64>(), 0..3).prop_map(|values| Value::Array(Array::F64(values))),
        vec(text(), 0..3).prop_map(|texts| {
            let texts = texts.into_iter().map(Into::into).collect();
            Value::Array(Array::String(texts))
        }),
    ]
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (text(), value()).prop_map(|(key, value)| KeyValue::new(key, value));
    vec(pair, 0..4)
}

fn time() -> impl Strategy<Value = SystemTime> {
    let ago = any::<u32>().prop_map(|seconds| UNIX_EPOCH - Duration::from_secs(seconds.into()));
    let since = any::<u64>().prop_map(|nanos| UNIX_EPOCH + Duration::from_nanos(nanos));
    prop_oneof![1 => Just(UNIX_EPOCH), 1 => ago, 8 => since]
}

fn context() -> impl Strategy<Value = SpanContext> {
    let state = vec(("[a-z]{1,8}", "[!-+--<>-~]{0,8}"), 0..3)
        .prop_map(|pairs| TraceState::from_key_value(pairs).expect("valid"));
    let ids = (any::<u128>(), any::<u64>(), any::<u8>());
    (ids, any::<bool>(), state).prop_map(|((trace, span, flags), is_remote, state)| {
        let (trace, span) = (TraceId::from(trace), SpanId::from(span));
        SpanContext::new(trace, span, TraceFlags::new(flags), is_remote, state)
    })
}

fn events() -> impl Strategy<Value = SpanEvents> {
    let event = (text(), time(), pairs(), any::<u32>())
        .prop_map(|(name, time, pairs, dropped)| Event::new(name, time, pairs, dropped));
    (vec(event, 0..3), any::<u32>()).prop_map(|(list, dropped)| {
        let mut events = SpanEvents::default();
        (events.events, events.dropped_count) = (list, dropped);
        events
    })
}

fn links() -> impl Strategy<Value = SpanLinks> {
    let link = (context(), pairs(), any::<u32>())
        .prop_map(|(context, pairs, dropped)| Link::new(context, pairs, dropped));
    (vec(link, 0..3), any::<u32>()).prop_map(|(list, dropped)| {
        let mut links = SpanLinks::default();
        (links.links, links.dropped_count) = (list, dropped);
        links
    })
}

fn status() -> impl Strategy<Value = Status> {
    let failed = text().prop_map(Status::error);
    prop_oneof![Just(Status::Unset), Just(Status::Ok), failed]
}

/// A few names, so that spans share them and do not.
fn scope() -> impl Strategy<Value = InstrumentationScope> {
    let texts = ("[ab]?", option::of("[12]"), option::of("s"));
    (texts, pairs()).prop_map(|((name, version, schema), pairs)| {
        let mut scope = InstrumentationScope::builder(name);
        if let Some(version) = version {
            scope = scope.with_version(version);
        }
        if let Some(schema) = schema {
            scope = scope.with_schema_url(schema);
        }
        scope.with_attributes(pairs).build()
    })
}

fn span() -> impl Strategy<Value = SpanData> {
    let kind = prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ];
    let parent = (option::of(any::<u64>()), any::<bool>());
    let own = (context(), parent, kind, text(), (time(), time()), pairs());
    let rest = (any::<u32>(), events(), links(), status(), scope());
    (own, rest).prop_map(|(own, rest)| {
        let (span_context, parent, span_kind, name, (start_time, end_time), attributes) = own;
        let (dropped_attributes_count, events, links, status, instrumentation_scope) = rest;
        SpanData {
            span_context,
            parent_span_id: parent.0.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: parent.1,
            span_kind,
            name: name.into(),
            start_time,
            end_time,
            attributes,
            dropped_attributes_count,
            events,
            links,
            status,
            instrumentation_scope,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bytes_are_those_of_opentelemetry_proto(
        pairs in pairs(),
        schema in option::of("s"),
        spans in vec(span(), 0..6),
    ) {
        let resource = Resource::builder_empty();
        let resource = match schema {
            Some(schema) => resource.with_schema_url(pairs, schema),
            None => resource.with_attributes(pairs),
        }
        .build();
        let ours = Bytes::from(Batches::of(&resource).write(&spans)).encode_to_vec();
        let theirs = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(spans, &(&resource).into()),
        };
        prop_assert_eq!(ours, theirs.encode_to_vec());
    }
}

/// How often an export is attempted that fails so.
async fn attempts(limit: Duration, again: Again) -> u32 {
    let attempts = AtomicU32::new(0);
    let sent = retry::until::<(), _>(limit, || {
        attempts.fetch_add(1, Ordering::SeqCst);
        let why = String::new();
        async move { Err(Failure { why, again }) }
    });
    sent.await.expect_err("it always fails");
    attempts.into_inner()
}

#[tokio::test]
async fn an_export_is_made_again_where_there_is_sense_and_time() {
    let hour = Duration::from_secs(3_600);
    assert_eq!(attempts(hour, Again::Never).await, 1);
    assert_eq!(attempts(hour, Again::Soon).await, 4);
    assert_eq!(attempts(hour / 360, Again::In(hour)).await, 1);
}

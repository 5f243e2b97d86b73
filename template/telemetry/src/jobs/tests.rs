//! Both ends of a queue.

mod rig;

use std::{
    collections::HashMap, future::pending, io, panic::AssertUnwindSafe, pin::pin, time::Duration,
};

use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt as _,
    trace::{FutureExt as _, SpanKind, Status},
};

use super::{Delivery, Failed};
use crate::session::{SESSION_HEADER, SessionId};
use rig::{Rig, attribute};

type Headers = HashMap<String, String>;

fn delivery(attempt: usize, headers: &Headers) -> Delivery<'_> {
    Delivery {
        id: "m-1",
        attempt,
        headers,
    }
}

/// Pushes a job and gives the headers that it carries.
async fn push(rig: &Rig) -> Headers {
    let push = async |headers| Ok::<Headers, io::Error>(headers);
    let pushed = rig.destination.send("m-1", push).await;
    pushed.expect("nothing can fail")
}

#[tokio::test]
async fn a_push_is_a_producer_span_that_the_job_carries() {
    let rig = Rig::new("");

    let headers = push(&rig).await;

    let span = rig.span("send mail");
    assert_eq!(span.span_kind, SpanKind::Producer);
    assert_eq!(span.status, Status::Unset);
    for (key, value) in [
        ("messaging.system", "apalis"),
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "mail"),
        ("messaging.message.id", "m-1"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
    let context = &span.span_context;
    let traceparent = format!("00-{}-{}-03", context.trace_id(), context.span_id());
    assert_eq!(headers["traceparent"], traceparent);
    assert_eq!(headers.len(), 1, "{headers:?}");
    let common = "messaging.destination.name=mail messaging.operation.name=send";
    assert_eq!(
        rig.collect(),
        [
            format!(
                "messaging.client.operation.duration {common} messaging.operation.type=send messaging.system=apalis: 1"
            ),
            format!("messaging.client.sent.messages {common} messaging.system=apalis: 1"),
        ]
    );
}

#[tokio::test]
async fn a_push_that_fails_is_recorded_once() {
    let rig = Rig::new("");

    let refuse = async |_| Err::<(), _>(io::Error::other("the queue is away"));
    let result = rig.destination.send("m-1", refuse).await;

    assert!(result.is_err());
    let span = rig.span("send mail");
    assert_eq!(span.status, Status::error("the queue is away"));
    assert_eq!(
        attribute(&span, "error.type").as_deref(),
        Some("std::io::error::Error")
    );
    assert_eq!(span.events.len(), 1);
    for series in rig.collect() {
        assert!(
            series.contains("error.type=std::io::error::Error"),
            "{series}"
        );
    }
}

#[tokio::test]
async fn a_push_that_is_given_up_is_no_success() {
    let rig = Rig::new("");
    {
        let never = async |_| pending::<Result<(), io::Error>>().await;
        let mut push = pin!(rig.destination.send("m-1", never));
        assert!(waits(&mut push).await);
    }
    let span = rig.span("send mail");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn the_first_attempt_continues_the_trace() {
    let rig = Rig::new("");
    let headers = push(&rig).await;

    let work = async { Ok(crate::current_trace_id()) };
    let inside = rig.destination.process(&delivery(1, &headers), work).await;

    let (producer, consumer) = (rig.span("send mail"), rig.span("process mail"));
    assert_eq!(consumer.span_kind, SpanKind::Consumer);
    assert_eq!(consumer.parent_span_id, producer.span_context.span_id());
    assert_eq!(consumer.links.len(), 0);
    assert_eq!(attribute(&consumer, "job.attempt").as_deref(), Some("1"));
    assert_eq!(
        attribute(&consumer, "messaging.operation.type").as_deref(),
        Some("process")
    );
    assert_eq!(consumer.status, Status::Unset);
    let trace = producer.span_context.trace_id();
    assert_eq!(consumer.span_context.trace_id(), trace);
    assert_eq!(inside.expect("it worked"), Some(trace.to_string()));
    let series = rig.collect();
    let common =
        "messaging.destination.name=mail messaging.operation.name=process messaging.system=apalis";
    assert!(
        series.contains(&format!("messaging.process.duration {common}: 1")),
        "{series:?}"
    );
    assert!(
        series.contains(&format!("messaging.client.consumed.messages {common}: 1")),
        "{series:?}"
    );
}

#[tokio::test]
async fn a_retry_begins_a_trace_that_is_linked_to_the_first() {
    let rig = Rig::new("");
    let headers = push(&rig).await;

    let work = async { Ok(()) };
    let done = rig.destination.process(&delivery(2, &headers), work).await;

    assert_eq!(done, Ok(()));
    let (producer, consumer) = (rig.span("send mail"), rig.span("process mail"));
    assert_ne!(
        consumer.span_context.trace_id(),
        producer.span_context.trace_id()
    );
    assert!(consumer.span_context.is_valid());
    assert_eq!(consumer.parent_span_id, opentelemetry::SpanId::INVALID);
    let links: Vec<_> = consumer
        .links
        .iter()
        .map(|link| &link.span_context)
        .collect();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].span_id(), producer.span_context.span_id());
    assert_eq!(links[0].trace_id(), producer.span_context.trace_id());
}

#[tokio::test]
async fn an_attempt_without_a_context_begins_a_trace() {
    let rig = Rig::new("");
    for attempt in [1, 2] {
        let headers = HashMap::from([("traceparent".to_owned(), "nonsense".to_owned())]);
        let work = async { Ok(()) };
        let done = rig
            .destination
            .process(&delivery(attempt, &headers), work)
            .await;
        assert_eq!(done, Ok(()));
    }
    for span in rig.spans() {
        assert!(span.span_context.is_valid() && span.links.is_empty());
    }
}

#[tokio::test]
async fn a_failure_is_named_in_span_and_metrics() {
    let rig = Rig::new("");
    let work = async { Err::<(), _>(Failed("smtp".into())) };

    let headers = Headers::new();
    let result = rig.destination.process(&delivery(1, &headers), work).await;

    assert_eq!(result, Err(Failed("smtp".into())));
    let span = rig.span("process mail");
    assert_eq!(span.status, Status::error(""));
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("smtp"));
    for series in rig.collect() {
        assert!(series.contains("error.type=smtp"), "{series}");
    }
}

#[tokio::test]
async fn a_panic_or_a_stop_ends_the_span_too() {
    let rig = Rig::new("");
    let headers = Headers::new();
    let delivery = delivery(1, &headers);
    {
        let never = pending::<Result<(), Failed>>();
        let mut attempt = pin!(rig.destination.process(&delivery, never));
        assert!(waits(&mut attempt).await);
    }
    let attempt = rig
        .destination
        .process(&delivery, async { panic!("boom") as Result<(), Failed> });
    assert!(caught(attempt).await.is_err());

    let causes: Vec<_> = rig
        .spans()
        .iter()
        .map(|span| attribute(span, "error.type").unwrap_or_default())
        .collect();
    assert_eq!(causes, ["cancelled", "panic"]);
}

#[tokio::test]
async fn the_session_and_listed_baggage_travel_and_nothing_else() {
    let rig = Rig::new(" tenant , plan");
    let session = SessionId::parse("s-42").expect("an id");
    let caller = Context::new().with_value(session).with_baggage([
        KeyValue::new("tenant", "acme"),
        KeyValue::new("secret", "hunter2"),
        KeyValue::new("session.id", "somebody-else"),
    ]);

    let headers = push(&rig).with_context(caller).await;

    assert_eq!(headers["baggage"], "tenant=acme");
    assert_eq!(headers[SESSION_HEADER], "s-42");
    for attempt in [1, 2] {
        let work = async {
            let tenant = Context::map_current(|context| context.baggage().get("tenant").cloned());
            assert_eq!(
                tenant.map(|value| value.to_string()).as_deref(),
                Some("acme")
            );
            Ok(())
        };
        let done = rig
            .destination
            .process(&delivery(attempt, &headers), work)
            .await;
        assert_eq!(done, Ok(()));
    }
    for span in rig.spans() {
        let id = attribute(&span, "session.id");
        assert_eq!(id.as_deref(), Some("s-42"), "{}", span.name);
    }
}

#[tokio::test]
async fn what_is_given_up_is_counted() {
    let rig = Rig::new("");
    rig.destination.give_up();
    assert_eq!(
        rig.collect(),
        ["job.given_up messaging.destination.name=mail messaging.system=apalis: 1"]
    );
}

/// Whether `future` is still waiting after it was polled.
async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::from_millis(10), future)
        .await
        .is_err()
}

async fn caught<F: Future>(future: F) -> std::thread::Result<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        let poll = || future.as_mut().poll(cx);
        match std::panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}

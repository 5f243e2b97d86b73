use std::time::Duration;

use opentelemetry::{
    Context,
    trace::{
        FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_sdk::trace::SpanData;
use redis::{AsyncCommands as _, RedisError, aio::ConnectionLike};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use super::{
    super::{SCOPE, error_type},
    rig::{CANARY, Rig, join, key},
};

/// `error.type` of a span, and that its status agrees.
fn failure(span: &SpanData) -> Option<String> {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|attribute| attribute.key.as_str() == "error.type");
    let error_type = found.map(|attribute| attribute.value.to_string());
    let status = error_type.clone().map_or(Status::Unset, Status::error);
    assert_eq!(span.status, status);
    error_type
}

#[tokio::test]
async fn a_command_is_a_client_span_below_the_current_one() {
    let mut rig = Rig::new().await;
    let parent = rig.tracers.tracer("test").start("parent");
    let context = Context::new().with_span(parent);
    let set = rig.connection.set_ex::<_, _, ()>(key(), CANARY, 60);
    set.with_context(context.clone()).await.expect("kept");

    let span = rig.span();
    assert_eq!(span.name, "SETEX");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(span.instrumentation_scope.name(), SCOPE);
    let of_parent = context.span().span_context().clone();
    assert_eq!(span.parent_span_id, of_parent.span_id());
    assert_eq!(span.span_context.trace_id(), of_parent.trace_id());
    let expected = rig.expected([
        ("db.operation.name", "SETEX"),
        ("db.query.text", "SETEX ? ? ?"),
    ]);
    assert_eq!(join(&span.attributes), expected);
}

#[tokio::test]
async fn a_batch_is_one_span() {
    let mut rig = Rig::new().await;
    let key = key();
    let mut pipeline = redis::pipe();
    pipeline.set(&key, CANARY).ignore().get(&key);
    let (value,): (String,) = pipeline
        .query_async(&mut rig.connection)
        .await
        .expect("answered");
    assert_eq!(value, CANARY);
    pipeline.atomic();
    let (value,): (String,) = pipeline
        .query_async(&mut rig.connection)
        .await
        .expect("answered");
    assert_eq!(value, CANARY);

    let spans = rig.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["PIPELINE", "MULTI"]);
    let expected = rig.expected([
        ("db.operation.batch.size", "2"),
        ("db.operation.name", "PIPELINE"),
        ("db.query.text", "SET ? ?; GET ?"),
    ]);
    assert_eq!(join(&spans[0].attributes), expected);
}

#[tokio::test]
async fn an_error_shows_its_code() {
    let mut rig = Rig::new().await;
    let key = key();
    let () = rig.connection.set(&key, "text").await.expect("kept");
    let error = rig.connection.llen::<_, i64>(&key).await;
    assert_eq!(error_type(&error.expect_err("no list")), "WRONGTYPE");

    let mut pipeline = redis::pipe();
    pipeline.get(&key).incr(&key, 1).llen(&key);
    for atomic in [false, true] {
        if atomic {
            pipeline.atomic();
        }
        let error = pipeline.exec_async(&mut rig.connection).await;
        assert_eq!(error_type(&error.expect_err("no number")), "ERR");
    }
    // Refused as a whole: EXEC finds a command that could not be queued.
    let mut refused = redis::pipe();
    refused.atomic().get(&key).cmd("NO.SUCH").arg(CANARY);
    let error = refused.exec_async(&mut rig.connection).await;
    assert_eq!(error_type(&error.expect_err("refused")), "EXECABORT");

    let failures: Vec<_> = rig.spans().iter().map(failure).collect();
    let expected = [
        None,
        Some("WRONGTYPE"),
        Some("ERR"),
        Some("ERR"),
        Some("EXECABORT"),
    ];
    assert_eq!(failures, expected.map(|error| error.map(str::to_owned)));
}

#[tokio::test]
async fn no_argument_is_in_any_signal() {
    let mut rig = Rig::new().await;
    let answers = [
        redis::cmd("ECHO").arg(CANARY).take(),
        // Errors that quote: an unknown command its arguments, a script what it likes.
        redis::cmd("NO.SUCH").arg(CANARY).take(),
        redis::cmd("CONFIG").arg(CANARY).take(),
        redis::cmd("EVAL")
            .arg("return redis.error_reply(ARGV[1])")
            .arg(0)
            .arg(CANARY)
            .take(),
    ];
    let mut quoted = 0;
    for command in answers {
        let answer: Result<String, RedisError> = command.query_async(&mut rig.connection).await;
        if let Err(error) = answer {
            quoted += usize::from(error.to_string().contains(CANARY));
            assert!(!error_type(&error).contains(CANARY));
        }
    }
    assert!(quoted > 1, "the errors should have quoted");
    let signals = format!("{:?} {:?}", rig.spans(), rig.durations());
    assert!(!signals.contains(CANARY), "{signals}");
}

#[tokio::test]
async fn a_cancelled_command_is_no_failure() {
    let mut rig = Rig::new().await;
    let wait = rig.connection.blpop::<_, Option<String>>(key(), 60.0);
    tokio::time::timeout(Duration::from_millis(50), wait)
        .await
        .expect_err("cancelled");
    let span = rig.span();
    assert_eq!((span.name.as_ref(), failure(&span)), ("BLPOP", None));
}

#[tokio::test]
async fn a_lost_connection_is_said_so() {
    let mut rig = Rig::new().await;
    let id: i64 = redis::cmd("CLIENT")
        .arg("ID")
        .query_async(&mut rig.connection)
        .await
        .expect("an id");
    let mut other = rig
        .client
        .get_multiplexed_async_connection()
        .await
        .expect("connected");
    let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).take();
    kill.exec_async(&mut other).await.expect("killed");
    rig.connection
        .get::<_, Option<String>>(key())
        .await
        .expect_err("no connection");

    let span = rig.spans().remove(1);
    assert_eq!(failure(&span).as_deref(), Some("connection_lost"));
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = nobody.local_addr().expect("a bound port");
    drop(nobody);
    let mut rig = Rig::lazy(&format!("redis://:{CANARY}@{address}/3"));
    assert_eq!(rig.connection.get_db(), 3);
    let error = rig.connection.get::<_, Option<String>>(key()).await;
    error.expect_err("no connection");

    let span = rig.span();
    assert_eq!(failure(&span).as_deref(), Some("connection_refused"));
    assert!(!format!("{span:?}").contains(CANARY));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("a bound port");
    tokio::spawn(async move {
        let (mut connection, _) = silent.accept().await.expect("a connection");
        // Reads and says nothing, until the other side has enough of it.
        connection.read_to_end(&mut Vec::new()).await
    });
    let mut rig = Rig::lazy(&format!("redis://{address}"));
    let error = rig.connection.get::<_, Option<String>>(key()).await;
    assert_eq!(error_type(&error.expect_err("no answer")), "timeout");
    assert_eq!(failure(&rig.span()).as_deref(), Some("timeout"));
}

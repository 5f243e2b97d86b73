use super::{assert_named, database, of_span, violations};
use crate::receiver::Received;
use crate::signals::{MetricPoint, Span, Status, samples};

fn get() -> Span {
    let mut span = database().without("db.query.summary");
    span.name = "GET".to_owned();
    span.with("db.system.name", "redis")
        .with("db.namespace", "0")
        .with("db.operation.name", "GET")
        .with("db.query.text", "GET ?")
        .with("network.peer.address", "127.0.0.1")
        .with("network.peer.port", 6379)
        .with("server.address", "127.0.0.1")
        .with("server.port", 6379)
}

#[test]
fn a_command_and_a_batch_pass() {
    assert_eq!(of_span(get()), Vec::<String>::new());
    let mut batch = get()
        .with("db.operation.name", "PIPELINE")
        .with("db.operation.batch.size", 2)
        .with("db.query.text", "GET ?; SET ? ? ...");
    batch.name = "PIPELINE".to_owned();
    assert_eq!(of_span(batch), Vec::<String>::new());
}

#[test]
fn a_name_with_the_index_and_an_argument_in_the_text_are_found() {
    let mut span = get().with("db.query.text", "GET user:1");
    span.name = "GET 0".to_owned();
    let found = of_span(span);
    assert_named(&found, "db.redis.client: its name is `GET 0`, not `GET`");
    let argument = "db.redis.client: `db.query.text` holds an argument";
    assert_named(&found, argument);
}

#[test]
fn a_batch_of_one_and_one_without_its_size_are_found() {
    let size = |found: &str| format!("db.redis.client: `db.operation.batch.size` is {found}");
    let one = of_span(get().with("db.operation.batch.size", 1));
    assert_named(&one, &size("Some(1) for `GET`"));
    let mut unsized_batch = get().with("db.operation.name", "MULTI GET");
    unsized_batch.name = "MULTI GET".to_owned();
    assert_named(&of_span(unsized_batch), &size("None for `MULTI GET`"));
}

#[test]
fn an_error_has_the_servers_code_if_it_came_from_the_server() {
    let failed = |error: &str| {
        let mut span = get().with("error.type", error);
        span.status = Status::Error(error.to_owned());
        span
    };
    let code = "db.response.status_code";
    assert_eq!(of_span(failed("timeout")), Vec::<String>::new());
    let answered = failed("WRONGTYPE").with(code, "WRONGTYPE");
    assert_eq!(of_span(answered), Vec::<String>::new());
    let missing = "db.redis.client: conditionally required `db.response.status_code` is missing";
    assert_named(&of_span(failed("WRONGTYPE")), missing);
    let other = "db.redis.client: `error.type` is not the database's code";
    assert_named(&of_span(failed("ERR").with(code, "WRONGTYPE")), other);
}

/// Redis and a database share a metric: each has its own row.
#[test]
fn the_duration_is_judged_by_the_row_of_its_system() {
    let point = |system: &str| MetricPoint {
        name: "db.client.operation.duration".to_owned(),
        attributes: [("db.system.name".to_owned(), system.into())].into(),
        ..samples::duration()
    };
    let judged = |system| {
        violations(&Received {
            metrics: vec![point(system)],
            ..Received::default()
        })
    };
    let missing = "db.client.operation.duration: required `db.operation.name` is missing";
    assert_named(&judged("redis"), missing);
    assert!(!judged("postgresql").contains(&missing.to_owned()));
}

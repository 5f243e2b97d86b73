//! Violations of single spans.

use super::*;

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

//! Well-formed signals for unit tests: a request that reads a user.

use std::sync::Arc;

use super::{
    Attributes, Instrument, Kind, LogRecord, Measure, MetricPoint, Resource, Scope, Span, Status,
    Temporality, Value,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Server, inner and database span of one request; each runs inside the one before.
pub fn trace() -> (Span, Span, Span) {
    let server = span(
        Kind::Server,
        "GET /users/{id}",
        "telemetry.http_server",
        "00000000000000a1",
        None,
    )
    .with("http.request.method", "GET")
    .with("http.response.status_code", 200)
    .with("http.route", "/users/{id}")
    .with("url.path", "/users/1")
    .with("url.scheme", "http")
    .with("client.address", "127.0.0.1")
    .with("network.peer.address", "127.0.0.1")
    .with("network.peer.port", 50_000)
    .with("network.protocol.version", "1.1")
    .with("server.address", "127.0.0.1")
    .with("server.port", 8080)
    .with("user_agent.original", "scenario/1");
    let inner = span(
        Kind::Internal,
        "db.get_user",
        "service",
        "00000000000000a2",
        Some(&server),
    )
    .with("user.id", "1")
    .with("db.result", "found");
    let client = span(
        Kind::Client,
        "SELECT users",
        "telemetry.sql",
        "00000000000000a3",
        Some(&inner),
    )
    .with("db.system.name", "sqlite")
    .with("db.namespace", "service.db")
    .with("db.query.summary", "SELECT users")
    .with("db.query.text", "SELECT id FROM users WHERE id = ?");
    (server, inner, client)
}

/// A call of an upstream that answered.
pub fn http_client() -> Span {
    span(
        Kind::Client,
        "GET",
        "telemetry.http_client",
        "00000000000000a4",
        None,
    )
    .with("http.request.method", "GET")
    .with("http.response.status_code", 200)
    .with("server.address", "127.0.0.1")
    .with("server.port", 9000)
    .with("url.full", "http://REDACTED:REDACTED@127.0.0.1:9000/hello")
    .with("network.peer.address", "127.0.0.1")
    .with("network.peer.port", 9000)
    .with("network.protocol.version", "1.1")
}

fn span(kind: Kind, name: &str, scope: &str, id: &str, parent: Option<&Span>) -> Span {
    let depth = parent.map_or(0, |parent| parent.start + 100_000);
    Span {
        trace_id: TRACE.to_owned(),
        span_id: id.to_owned(),
        parent: parent.map(|parent| parent.span_id.clone()),
        trace_state: String::new(),
        flags: 0x101,
        kind,
        name: name.to_owned(),
        start: depth,
        end: 1_000_000 - depth,
        attributes: Attributes::from([("session.id".to_owned(), "s-1".into())]),
        duplicate_keys: Vec::new(),
        dropped: 0,
        status: Status::Unset,
        events: Vec::new(),
        links: Vec::new(),
        scope: scope_named(scope),
        resource: resource(),
    }
}

impl Span {
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(key.to_owned(), value.into());
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.attributes.remove(key);
        self
    }
}

/// `http.server.request.duration` of the request in [`trace`].
pub fn duration() -> MetricPoint {
    let bounds = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ]
    .to_vec();
    let attributes = [
        ("http.request.method", Value::from("GET")),
        ("http.response.status_code", Value::Int(200)),
        ("http.route", "/users/{id}".into()),
        ("network.protocol.version", "1.1".into()),
        ("url.scheme", "http".into()),
    ];
    let mut buckets = vec![0; bounds.len() + 1];
    buckets[0] = 1;
    MetricPoint {
        name: "http.server.request.duration".to_owned(),
        description: "Duration of HTTP server requests.".to_owned(),
        unit: "s".to_owned(),
        instrument: Instrument::Histogram,
        temporality: Temporality::Cumulative,
        attributes: attributes
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
        time: 1,
        measure: Measure::Histogram {
            count: 1,
            sum: 0.001,
            bounds,
            buckets,
        },
        scope: scope_named("telemetry.http_server"),
        resource: resource(),
    }
}

/// An exception that belongs to the server span of [`trace`].
pub fn exception() -> LogRecord {
    let attributes = [
        ("exception.type", "Panic"),
        ("exception.message", "it broke"),
        ("exception.stacktrace", "at main"),
    ];
    LogRecord {
        time: 1,
        observed: 1,
        severity: 17,
        severity_text: "ERROR".to_owned(),
        event_name: "exception".to_owned(),
        body: "it broke".into(),
        attributes: attributes
            .map(|(key, value)| (key.to_owned(), value.into()))
            .into(),
        trace_id: Some(TRACE.to_owned()),
        span_id: Some("00000000000000a1".to_owned()),
        scope: scope_named("service"),
        resource: resource(),
    }
}

pub fn resource() -> Arc<Resource> {
    let attributes = [
        ("service.name", "demo"),
        ("service.version", "0.1.0"),
        (
            "service.instance.id",
            "0b3c4f7e-6a3b-4c8e-9d5e-7a1f2b3c4d5e",
        ),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.version", "0.33.1"),
        ("deployment.environment.name", "test"),
        ("host.arch", "amd64"),
        ("host.id", "id"),
        ("host.name", "here"),
        ("os.type", "linux"),
        ("os.description", "Linux"),
        ("os.name", "Linux"),
        ("os.version", "1"),
        ("process.command", "demo"),
        ("process.creation.time", "2026-11-25T20:45:30Z"),
    ];
    let mut attributes: Attributes = attributes
        .map(|(key, value)| (key.to_owned(), value.into()))
        .into();
    attributes.insert("process.pid".to_owned(), Value::Int(1));
    Arc::new(Resource {
        attributes,
        schema_url: String::new(),
    })
}

fn scope_named(name: &str) -> Arc<Scope> {
    Arc::new(Scope {
        name: name.to_owned(),
        ..Scope::default()
    })
}

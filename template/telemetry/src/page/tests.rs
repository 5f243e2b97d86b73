//! The page as a browser sees it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use opentelemetry::{
    KeyValue,
    logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracerProvider};
use serde_json::Value;

use super::{
    store::{MAX_TRACE_BYTES, MAX_TRACES},
    *,
};
use crate::outputs::Outputs;

struct Rig {
    page: Page,
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Rig {
    fn new() -> Self {
        let mut env = env("0");
        let (rule, limits) = (Rule::read(&mut env), Limits::read(&mut env));
        let page = Page::open("development", rule, &mut env);
        Self {
            traces: SdkTracerProvider::builder()
                .with_span_processor(Outputs(page.spans().into_iter().collect()))
                .build(),
            logs: page
                .with_logs(SdkLoggerProvider::builder(), &limits)
                .build(),
            page,
        }
    }

    /// Records a span that is a trace of its own, and gives its trace's id.
    fn record(&self, name: &'static str, attribute: String) -> String {
        let tracer = self.traces.tracer("test");
        let mut span = tracer.start(name);
        span.set_attribute(KeyValue::new("text", attribute));
        span.span_context().trace_id().to_string()
    }

    fn address(&self) -> &str {
        let url = self.page.url().expect("the page is open");
        url.strip_prefix("http://").expect("a URL")
    }

    fn ask(&self, target: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("the page listens");
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn json(&self, target: &str) -> Value {
        let answer = self.ask(target, self.address());
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        serde_json::from_str(body).expect("JSON")
    }
}

fn env(port: &str) -> Env {
    let port = port.to_owned();
    Env::new(move |name| (name == "TELEMETRY_PAGE_PORT").then(|| port.clone()))
}

#[test]
fn a_trace_has_its_spans_and_the_logs_made_in_them() {
    let rig = Rig::new();
    let tracer = rig.traces.tracer("test");
    let outer = tracer.start("GET /users/{id}");
    let outer = opentelemetry::Context::new().with_span(outer);
    let logger = rig.logs.logger("test");
    {
        let _entered = outer.clone().attach();
        let mut inner = tracer.start("db.get_user");
        inner.add_event("found", vec![KeyValue::new("user.id", 1)]);
        inner.end();
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.set_body("odd".into());
        record.add_attribute("user.id", 1);
        logger.emit(record);
    }
    let id = outer.span().span_context().trace_id().to_string();
    let first = rig.json("/traces?after=");
    assert_eq!(first["traces"][0]["running"], 1);
    outer.span().end();

    let list = rig.json(&format!("/traces?after={}", first["version"]));
    assert_eq!(list["traces"][0]["root"]["name"], "GET /users/{id}");
    assert_eq!(list["traces"][0]["running"], 0);
    let nothing = format!("/traces?after={}", list["version"]);
    let nothing = rig.ask(&nothing, rig.address());
    assert!(nothing.starts_with("HTTP/1.1 204 "), "{nothing}");

    let trace = rig.json(&format!("/traces/{id}"));
    let (inner, outer) = (&trace["spans"][0], &trace["spans"][1]);
    assert_eq!(inner["parent"], outer["id"]);
    assert_eq!(inner["events"][0]["attributes"][0][1], "1");
    assert_eq!(trace["logs"][0]["span"], outer["id"]);
    assert_eq!(trace["logs"][0]["text"], "odd");
    let unknown = rig.ask(&format!("/traces/{}", "0".repeat(32)), rig.address());
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
}

#[test]
fn the_last_traces_are_kept_in_bounds() {
    let rig = Rig::new();
    let first = rig.record("first", String::new());
    let large = rig.record("large", "x".repeat(MAX_TRACE_BYTES));
    for _ in 0..MAX_TRACES - 1 {
        rig.record("later", String::new());
    }
    let list = rig.json("/traces?after=");
    // The large one has no span that could be kept.
    assert_eq!(
        list["traces"].as_array().map(Vec::len),
        Some(MAX_TRACES - 1)
    );
    for gone in [first, large] {
        let answer = rig.ask(&format!("/traces/{gone}"), rig.address());
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    // Half of this would be more than is kept of all.
    for _ in 0..20 {
        rig.record("heavy", "x".repeat(MAX_TRACE_BYTES / 2 + 1));
    }
    let list = rig.json("/traces?after=");
    assert_eq!(list["traces"].as_array().map(Vec::len), Some(15));
}

#[test]
fn nobody_reads_it_by_another_name_than_this_machine_s() {
    let rig = Rig::new();
    rig.record("secret", String::new());
    for host in [
        "attacker.example",
        "127.0.0.1.attacker.example:80",
        "[::2]:80",
        "",
    ] {
        for target in ["/", "/traces?after="] {
            let answer = rig.ask(target, host);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
            assert!(!answer.contains("secret"), "{answer}");
        }
    }
    for host in [rig.address(), "LOCALHOST:1", "localhost", "[::1]:80"] {
        let answer = rig.ask("/", host);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
}

#[test]
fn its_script_is_the_only_one_that_runs() {
    let rig = Rig::new();
    let (one, other) = (rig.ask("/", "localhost"), rig.ask("/", "localhost"));
    let nonce = |page: &str| {
        let (_, rest) = page.split_once("script-src 'nonce-").expect("a policy");
        rest.split('\'').next().unwrap_or_default().to_owned()
    };
    assert_ne!(nonce(&one), nonce(&other));
    assert!(one.contains(&format!("<script nonce=\"{}\">", nonce(&one))));
    let (head, page) = one.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("default-src 'none'"), "{head}");
    for reach in [
        "innerHTML",
        "insertAdjacent",
        "document.write",
        "src=\"http",
        "@import",
    ] {
        assert!(!page.contains(reach), "{reach}");
    }
}

#[test]
fn it_is_open_in_development_only_and_where_it_is_wanted() {
    let url = |environment: &str, port: &str| {
        let mut env = env(port);
        let rule = Rule::read(&mut env);
        let page = Page::open(environment, rule, &mut env);
        (page.url().map(str::to_owned), env.warnings.len())
    };
    assert_eq!(url("production", "0"), (None, 0));
    assert_eq!(url("development", "none"), (None, 0));
    assert_eq!(url("development", "many").1, 1);
    // A port that is taken is no reason to do without the page.
    let (Some(first), 0) = url("development", "0") else {
        panic!("the page is not open");
    };
    let port = first.rsplit(':').next().unwrap_or_default();
    let (Some(second), 0) = url("development", port) else {
        panic!("the page is not open");
    };
    assert_ne!(first, second);
}

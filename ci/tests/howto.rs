//! A plain service that gets its telemetry as the generated HOWTO says tells the same story as a generated one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ci::client::{self, Request};
use ci::conformance::{self, Evidence, Registry};
use ci::receiver::{Received, Receiver};
use ci::scenario::{Part, Parts, SESSION};
use ci::service::Service;
use ci::signals::{Kind, Span};
use ci::upstream::Upstream;
use ci::{contract, howto, root};

#[test]
fn axum() {
    pass("axum");
}

#[test]
fn actix_web() {
    pass("actix-web");
}

#[test]
fn rocket() {
    pass("rocket");
}

#[test]
fn salvo() {
    pass("salvo");
}

fn pass(framework: &str) {
    let folder = howto::follow(framework).unwrap();
    let binary = howto::build(&folder, &mut |_| ()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let received = runtime.block_on(run(&binary)).unwrap();
    let stack = howto::stack(&root().join("ci/plain").join(framework)).unwrap();
    let complaints = complaints(&received, &Parts::of(&stack));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Asks the service for each of its routes and for none, stops it, and gives what it sent.
async fn run(binary: &Path) -> Result<Received> {
    let (receiver, upstream) = (Receiver::start().await?, Upstream::start().await?);
    let url = format!("http://{}/hello", upstream.address());
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.grpc_endpoint()),
        ("UPSTREAM_URL", url),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value));
    let service = Service::start(binary, &BTreeMap::from(env)).await?;
    for (target, status) in [("/hello/ada", 200), ("/relay", 200), ("/nowhere", 404)] {
        let headers = vec![
            ("user-agent", "scenario/1".to_owned()),
            ("x-session-id", SESSION.to_owned()),
        ];
        let request = Request {
            method: "GET",
            target,
            headers,
            body: Vec::new(),
        };
        let answer = client::send(service.address(), &request).await?;
        ensure!(answer.status == status, "{target}: {}", answer.status);
        answer.trace_id().context("no `traceresponse`")?;
    }
    service.terminate()?;
    let ended = service.ended(Duration::from_secs(20)).await?;
    ensure!(ended.code == Some(0), "it ended with {:?}", ended.code);
    Ok(receiver.store().snapshot())
}

fn complaints(received: &Received, parts: &Parts) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut expected = BTreeMap::from([
        ("SERVER GET /hello/{name}", ("user-found", "SERVER")),
        ("SERVER GET /relay", ("user-found", "SERVER")),
        ("SERVER GET", ("unknown-route", "SERVER")),
    ]);
    let mut metrics = BTreeSet::from(["http.server.request.duration"]);
    if parts.has(Part::Client) {
        expected.insert("CLIENT GET", ("external-ok", "CLIENT"));
        metrics.insert("http.client.request.duration");
    }
    if parts.has(Part::Sql) {
        expected.insert("CLIENT SELECT", ("user-found.sql", "CLIENT"));
        metrics.insert("db.client.operation.duration");
    }

    let spans = received.spans.iter();
    let spans: BTreeMap<String, &Span> = spans
        .map(|span| (format!("{} {}", span.kind, span.name), span))
        .collect();
    if spans.keys().ne(expected.keys()) {
        complaints.push(format!("the spans are {:?}", spans.keys()));
    }
    for (name, (file, kind)) in expected {
        let Some(span) = spans.get(name) else {
            continue;
        };
        let told: BTreeSet<String> = span.attributes.keys().cloned().collect();
        if told != attributes(file, kind) {
            complaints.push(format!("{name} has {told:?}, not those of {file}"));
        }
        let parent = received
            .spans
            .iter()
            .find(|other| Some(&other.span_id) == span.parent.as_ref());
        if span.kind == Kind::Client && parent.is_none_or(|parent| parent.kind != Kind::Server) {
            complaints.push(format!("{name} is not below a server span"));
        }
    }
    for name in metrics {
        if received.metrics.iter().all(|point| point.name != name) {
            complaints.push(format!("{name} is missing"));
        }
    }
    complaints.extend(violations(received));
    complaints
}

/// The attributes of the first span of `kind` in a file of the contract.
fn attributes(file: &str, kind: &str) -> BTreeSet<String> {
    let path = contract::directory().join(format!("{file}.txt"));
    let text = std::fs::read_to_string(path).unwrap();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines();
    let span = lines
        .find(|line| line.trim_start().starts_with(&format!("{kind} ")))
        .unwrap();
    lines
        .take_while(|line| depth(line) == depth(span) + 4)
        .filter_map(|line| Some(line.split_once(": ")?.0.trim().to_owned()))
        .collect()
}

fn violations(received: &Received) -> Vec<String> {
    let evidence = Evidence {
        received,
        queries: BTreeMap::new(),
        cancelled: BTreeSet::new(),
        unsampled: 0,
    };
    let report = conformance::judge(&evidence, &Registry::load().unwrap());
    report.violations.iter().map(ToString::to_string).collect()
}

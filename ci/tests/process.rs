//! The default service as a process: what it does when what surrounds it is missing, wrong, or not wanted.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use ci::client::{self, Answer, Request};
use ci::receiver::Receiver;
use ci::service::{Ended, Service};
use ci::signals::{Kind, Measure, Resource, Value};
use ci::upstream::Upstream;

use ci::{house, stacks, subject};

/// Generous: nothing here may take a tenth of it.
const DEADLINE: Duration = Duration::from_secs(20);

/// The binary of the default stack, built once.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let project = house::place(&stacks::default().unwrap()).unwrap();
        subject::build(&project, &house::target(), &mut |_| ()).unwrap()
    };
    BINARY.get_or_init(build).clone()
}

async fn start(env: &[(&str, &str)]) -> anyhow::Result<Service> {
    let own = [("PORT", "0"), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let env: BTreeMap<_, _> = own
        .iter()
        .chain(env)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Service::start(&binary(), &env).await
}

async fn get(service: &Service, target: &'static str) -> Answer {
    let request = Request {
        method: "GET",
        target,
        headers: vec![("x-session-id", "s-1".to_owned())],
        body: Vec::new(),
    };
    client::send(service.address(), &request).await.unwrap()
}

async fn stop(service: Service) -> Ended {
    service.terminate().unwrap();
    let ended = service.ended(DEADLINE).await.unwrap();
    assert_eq!(ended.code, Some(0), "{:?}", ended.lines);
    ended
}

fn warnings(lines: &[String]) -> usize {
    let warning = |line: &&String| line.contains("\"level\":\"WARN\"");
    lines.iter().filter(warning).count()
}

/// <https://github.com/open-telemetry/opentelemetry-rust/issues/1281>
#[tokio::test]
async fn opentelemetry_rust_issue_1281_a_missing_collector_costs_one_warning() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{free}");
    let service = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
    ])
    .await
    .unwrap();

    for _ in 0..3 {
        assert_eq!(get(&service, "/users/1").await.status, 200);
        let warned = |lines: &[String]| warnings(lines) > 0;
        service
            .wait_for("a warning", DEADLINE, warned)
            .await
            .unwrap();
    }

    let ended = stop(service).await;
    assert_eq!(warnings(&ended.lines), 1, "{:#?}", ended.lines);
    let warning = ended
        .lines
        .iter()
        .find(|line| line.contains("WARN"))
        .unwrap();
    assert!(warning.contains(&endpoint), "{warning}");
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_hold_the_stop() {
    // Connections are accepted by the system, and then nothing happens.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        let service = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ])
        .await
        .unwrap();
        assert_eq!(get(&service, "/users/1").await.status, 200);
        let ended = stop(service).await;
        assert!(ended.errors.is_empty(), "{:#?}", ended.errors);
        let panicked = |line: &String| line.contains("panicked");
        assert!(!ended.lines.iter().any(panicked), "{:#?}", ended.lines);
    }
}

#[tokio::test]
async fn the_console_shows_each_trace_as_a_tree() {
    let service = start(&[
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ])
    .await
    .unwrap();
    let answer = get(&service, "/users/1").await;
    let trace = answer.trace_id().unwrap().to_owned();

    let shown = |lines: &[String]| {
        let root = lines.iter().position(|line| line.contains(&trace));
        root.is_some_and(|root| {
            lines[root].starts_with("GET /users/{id}  ")
                && lines[root + 1..]
                    .iter()
                    .zip(["└─ db.get_user  ", "   └─ SELECT users  "])
                    .all(|(line, start)| line.starts_with(start))
                && lines.len() > root + 2
        })
    };
    service.wait_for("the tree", DEADLINE, shown).await.unwrap();
    stop(service).await;
}

#[tokio::test]
async fn disabled_telemetry_leaves_a_service_that_works_and_exports_nothing() {
    let receiver = Receiver::start().await.unwrap();
    for switch in [("OTEL_SDK_DISABLED", "true"), ("OTEL_ENABLED", "false")] {
        let endpoint = receiver.grpc_endpoint();
        let service = start(&[switch, ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)])
            .await
            .unwrap();
        let answer = get(&service, "/users/1").await;
        assert_eq!((answer.status, answer.trace_id()), (200, None));
        stop(service).await;
    }
    assert_eq!(receiver.store().snapshot().exports, [0, 0]);
}

/// A service that records no spans is missing from its callers' traces, and breaks none: propagators work
/// whatever `OTEL_SDK_DISABLED` says (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
#[tokio::test]
async fn a_service_that_records_no_spans_lets_its_callers_traces_pass() {
    let upstream = Upstream::start().await.unwrap();
    let url = format!("http://{}/", upstream.address());
    let traceparent = format!("00-{}-{}-01", "5".repeat(32), "6".repeat(16));
    let sent = [
        ("traceparent", &*traceparent),
        ("tracestate", "vendor=1"),
        ("baggage", "tenant=t-1"),
    ];
    for switch in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ] {
        let service = start(&[
            switch,
            ("OTEL_LOGS_EXPORTER", "none"),
            // It would be where spans go.
            ("TELEMETRY_PAGE_PORT", "none"),
            ("UPSTREAM_URL", &url),
            ("TELEMETRY_TRUSTED_HOSTS", "127.0.0.1"),
        ])
        .await
        .unwrap();
        let calls = upstream.calls();
        let request = Request {
            method: "POST",
            target: "/external",
            headers: sent.map(|(name, value)| (name, value.to_owned())).into(),
            body: Vec::new(),
        };
        let answer = client::send(service.address(), &request).await.unwrap();
        assert_eq!((answer.status, answer.trace_id()), (200, None));
        let got = upstream.headers_since(calls);
        for (name, value) in sent {
            assert_eq!(
                got[0].get(name).map(String::as_str),
                Some(value),
                "{switch:?}"
            );
        }
        stop(service).await;
    }
}

#[tokio::test]
async fn a_public_edge_begins_a_trace_that_is_linked_to_the_caller_s() {
    let receiver = Receiver::start().await.unwrap();
    let (theirs, caller) = ("5".repeat(32), "6".repeat(16));
    let request = Request {
        method: "GET",
        target: "/users/1",
        headers: vec![
            ("traceparent", format!("00-{theirs}-{caller}-00")),
            ("tracestate", "vendor=1".to_owned()),
            ("x-session-id", "s-1".to_owned()),
        ],
        body: Vec::new(),
    };
    let service = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.grpc_endpoint()),
        ("TELEMETRY_INBOUND_CONTEXT", "link"),
    ])
    .await
    .unwrap();
    let answer = client::send(service.address(), &request).await.unwrap();
    let ours = answer.trace_id().unwrap().to_owned();
    stop(service).await;

    assert_ne!(ours, theirs);
    let spans = receiver.store().snapshot().spans;
    let servers: Vec<_> = spans.iter().filter(|s| s.kind == Kind::Server).collect();
    let [server] = &*servers else {
        panic!("{spans:#?}");
    };
    // The caller did not sample, and could not choose that for us.
    assert_eq!((&server.trace_id, &server.parent), (&ours, &None));
    assert_eq!(server.trace_state, "");
    assert_eq!(server.string("session.id"), Some("s-1"));
    let links: Vec<_> = server
        .links
        .iter()
        .map(|link| (&link.trace_id, &link.span_id))
        .collect();
    assert_eq!(links, [(&theirs, &caller)]);
}

#[tokio::test]
async fn a_rule_for_callers_that_is_not_understood_is_warned_about() {
    let receiver = Receiver::start().await.unwrap();
    let service = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.grpc_endpoint()),
        ("TELEMETRY_INBOUND_CONTEXT", "distrust"),
    ])
    .await
    .unwrap();
    let ended = stop(service).await;
    assert_eq!(warnings(&ended.lines), 1, "{:#?}", ended.lines);
    let said = "TELEMETRY_INBOUND_CONTEXT=\\\"distrust\\\" is not understood and ignored; allowed: continue, link";
    assert!(ended.lines.iter().any(|line| line.contains(said)));
}

/// <https://github.com/davidB/tracing-opentelemetry-instrumentation-sdk/issues/148>
#[tokio::test]
async fn tracing_opentelemetry_instrumentation_sdk_issue_148_a_log_level_loses_no_span() {
    let receiver = Receiver::start().await.unwrap();
    let service = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.grpc_endpoint()),
        // The rig must see where it listens; all else is silent.
        ("RUST_LOG", "off,service::lifecycle=info"),
    ])
    .await
    .unwrap();
    get(&service, "/users/1").await;
    let ended = stop(service).await;
    assert_eq!(ended.lines.len(), 1, "{:#?}", ended.lines);
    let mut names: Vec<_> = receiver
        .store()
        .snapshot()
        .spans
        .into_iter()
        .map(|span| span.name)
        .collect();
    names.sort();
    assert_eq!(names, ["GET /users/{id}", "SELECT users", "db.get_user"]);
}

/// <https://github.com/open-telemetry/opentelemetry-rust/issues/1171>
#[tokio::test]
async fn opentelemetry_rust_issue_1171_export_is_not_itself_exported() {
    let receiver = Receiver::start().await.unwrap();
    for (protocol, endpoint) in [
        ("grpc", receiver.grpc_endpoint()),
        ("http/protobuf", receiver.http_endpoint()),
    ] {
        let service = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("RUST_LOG", "trace"),
        ])
        .await
        .unwrap();
        get(&service, "/users/1").await;
        stop(service).await;
    }
    let received = receiver.store().snapshot();
    assert!(received.exports.iter().all(|exports| *exports > 0));
    assert_eq!(received.spans.len(), 6, "{:#?}", received.spans);
    let carriers = [
        "h2",
        "hyper",
        "hyper_util",
        "reqwest",
        "tonic",
        "opentelemetry",
    ];
    for record in received.logs {
        let krate = record.scope.name.split("::").next().unwrap_or_default();
        assert!(!carriers.contains(&krate), "{record:?}");
    }
}

/// One image, one environment, several replicas: nobody tells them apart but they themselves.
#[tokio::test]
async fn two_instances_with_the_same_settings_have_nothing_to_fight_over() {
    let receiver = Receiver::start().await.unwrap();
    let endpoint = receiver.grpc_endpoint();
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let (one, other) = tokio::try_join!(start(&settings), start(&settings)).unwrap();
    let asked = [(&one, 2), (&other, 3)];
    for (service, times) in asked {
        for _ in 0..times {
            assert_eq!(get(service, "/users/1").await.status, 200);
        }
    }
    for ended in [stop(one).await, stop(other).await] {
        assert_eq!(warnings(&ended.lines), 0, "{:#?}", ended.lines);
        assert!(ended.errors.is_empty(), "{:#?}", ended.errors);
    }

    let received = receiver.store().snapshot();
    let instance = |resource: &Resource| {
        let id = resource.attributes.get("service.instance.id");
        id.and_then(Value::as_str).unwrap().to_owned()
    };
    let mut spans = BTreeMap::new();
    for span in received.spans.iter().filter(|s| s.kind == Kind::Server) {
        *spans.entry(instance(&span.resource)).or_insert(0) += 1;
    }
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert!(spans.values().eq([&2, &3]) || spans.values().eq([&3, &2]));
    // Nor do their streams of metrics meet: each counts its own requests.
    let mut counts = BTreeMap::new();
    for point in &received.metrics {
        if let ("http.server.request.duration", Measure::Histogram { count, .. }) =
            (point.name.as_str(), &point.measure)
        {
            counts.insert(instance(&point.resource), *count);
        }
    }
    assert_eq!(counts, spans);
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_said_in_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (setting, sentence) in [
        (("PORT", port.as_str()), "cannot listen on 127.0.0.1"),
        (("PORT", "99999"), "99999 is not in 0..=65535"),
        (
            ("DATABASE_URL", "sqlite:/no/such/folder/shop.db"),
            "the database at DATABASE_URL cannot be used",
        ),
        (
            ("DATABASE_URL", "postgres://u:hunter2@h/d"),
            "DATABASE_URL is not understood",
        ),
        (
            ("UPSTREAM_URL", "http://u:hunter2@not a host/"),
            "UPSTREAM_URL is not understood",
        ),
    ] {
        let error = start(&[setting, ("OTEL_SDK_DISABLED", "true")])
            .await
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(sentence), "{setting:?}: {error}");
        assert!(
            !error.contains("hunter2") && !error.contains("panicked"),
            "{error}"
        );
    }
}

//! The default service, with each exporter of spans, and its collector: TLS, credentials in headers, and what it says of its variables.

mod doctor;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use ci::client::{self, Request};
use ci::receiver::Receiver;
use ci::service::{Ended, Service};
use ci::signals::{Instrument, Temporality};
use ci::{house, stacks, subject};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Generous: nothing here may take a tenth of it.
const DEADLINE: Duration = Duration::from_secs(20);

/// How spans leave.
#[derive(Debug, Clone, Copy)]
enum Spans {
    ByOtlp,
    InOnePass,
}

/// The binary of the default stack with this exporter, built once.
fn binary(spans: Spans) -> PathBuf {
    static BINARIES: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
    let build = || {
        let mut stack = stacks::default().unwrap();
        if let Spans::InOnePass = spans {
            stack = format!("{stack}+fast-export").parse().unwrap();
        }
        let project = house::place(&stack).unwrap();
        subject::build(&project, &house::target(), &mut |_| ()).unwrap()
    };
    BINARIES[spans as usize].get_or_init(build).clone()
}

/// Starts the service with `env`, sends it one request, and stops it.
async fn serve_one(spans: Spans, env: &[(&str, &str)]) -> Ended {
    let env: BTreeMap<_, _> = [("PORT", "0")]
        .iter()
        .chain(env)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let service = Service::start(&binary(spans), &env).await.unwrap();
    let request = Request {
        method: "GET",
        target: "/users/1",
        headers: Vec::new(),
        body: Vec::new(),
    };
    let answer = client::send(service.address(), &request).await.unwrap();
    assert_eq!(answer.status, 200);
    service.terminate().unwrap();
    let ended = service.ended(DEADLINE).await.unwrap();
    assert_eq!(ended.code, Some(0), "{:?}", ended.lines);
    ended
}

/// A collector over HTTP of which only the heads of requests are of interest.
async fn sink() -> (String, mpsc::UnboundedReceiver<String>) {
    let sink = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", sink.local_addr().unwrap());
    let (sent, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = sink.accept().await {
            let mut head = vec![0; 4096];
            let length = connection.read(&mut head).await.unwrap_or_default();
            let _ = sent.send(String::from_utf8_lossy(&head[..length]).into_owned());
            let _ = connection
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
    });
    (endpoint, requests)
}

/// Credentials go to the collector and nowhere else, however much is logged.
#[tokio::test]
async fn headers_are_sent_and_never_logged() {
    let (over_http, mut requests) = sink().await;
    let receiver = Receiver::start().await.unwrap();
    let http = ("http/protobuf", over_http);
    let grpc = ("grpc", receiver.grpc_endpoint());
    for (spans, (protocol, endpoint)) in [
        (Spans::ByOtlp, &http),
        (Spans::ByOtlp, &grpc),
        (Spans::InOnePass, &http),
        (Spans::InOnePass, &grpc),
    ] {
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-token=Bearer%20hunter2"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_LOG_LEVEL", "trace"),
            (
                "RUST_LOG",
                "trace,opentelemetry=trace,hyper=trace,h2=trace,tonic=trace",
            ),
        ];
        let ended = serve_one(spans, &env).await;
        let said = ended.lines.iter().chain(&ended.errors);
        let leaking: Vec<_> = said.filter(|line| line.contains("hunter2")).collect();
        assert!(leaking.is_empty(), "{spans:?} {protocol}: {leaking:#?}");
        let mut traces = false;
        while let Ok(request) = requests.try_recv() {
            for header in ["x-token: Bearer hunter2\r\n", "content-encoding: gzip\r\n"] {
                assert!(request.contains(header), "{request}");
            }
            traces |= request.starts_with("POST /v1/traces ");
        }
        assert_eq!(traces, *protocol == "http/protobuf", "{spans:?}");
    }
    let logs = receiver.store().snapshot().logs;
    assert!(
        logs.iter()
            .all(|log| !format!("{log:?}").contains("hunter2"))
    );
}

/// The other variables that the exporters read themselves, and what a collector sees of ours.
#[tokio::test]
async fn the_metrics_are_as_the_variables_want_them() {
    let receiver = Receiver::start().await.unwrap();
    let no_scheme = receiver.grpc_endpoint().replace("http://", "");
    for (variable, instrument, temporality) in [
        (
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
            Instrument::Histogram,
            Temporality::Delta,
        ),
        (
            (
                "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                "base2_exponential_bucket_histogram",
            ),
            // The rig decodes no exponential histogram, since no contract has one.
            Instrument::Other,
            Temporality::Unspecified,
        ),
    ] {
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", no_scheme.as_str()),
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            variable,
        ];
        serve_one(Spans::InOnePass, &env).await;
        let points = receiver.store().snapshot().metrics;
        let duration = points
            .iter()
            .rfind(|point| point.name == "http.server.request.duration")
            .expect("a request was measured");
        assert_eq!(
            (duration.instrument, duration.temporality),
            (instrument, temporality),
            "{variable:?}"
        );
    }
}

#[test]
fn the_variables_are_told_before_anything_is_connected() {
    let told = Command::new(binary(Spans::ByOtlp))
        .arg("--help-telemetry")
        .env("DATABASE_URL", "sqlite:/no/such/folder/shop.db")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-token=hunter2")
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    for line in [
        "  OTEL_EXPORTER_OTLP_ENDPOINT (read by the SDK)\n",
        "now OTEL_EXPORTER_OTLP_ENDPOINT=\"http://collector:4317\"\n",
        "now OTEL_EXPORTER_OTLP_HEADERS=(not shown)\n",
        "  OTEL_CONFIG_FILE (not supported)\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

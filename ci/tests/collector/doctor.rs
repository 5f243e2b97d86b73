//! `telemetry doctor`, asked about collectors that are well and collectors that are not.

use ci::receiver::Receiver;
use ci::upstream::{Mode, Upstream};
use tokio::process::Command;

use super::{Spans, binary, tls::House};

/// What the doctor says, and whether all is well.
async fn ask(env: &[(&str, &str)]) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(binary(Spans::ByOtlp))
        .args(["telemetry", "doctor"])
        .current_dir(folder.path())
        .env_clear()
        .envs(env.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = output.await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("panicked"), "{errors}");
    (text.trim_end().to_owned(), output.status.success())
}

fn endpoint(url: &str) -> (&'static str, &str) {
    ("OTEL_EXPORTER_OTLP_ENDPOINT", url)
}

const GRPC: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
const HTTP: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");

#[tokio::test]
async fn one_of_each_signal_is_accepted() {
    for (protocol, by) in [(GRPC, "gRPC"), (HTTP, "HTTP")] {
        let receiver = Receiver::start().await.unwrap();
        let url = match protocol {
            GRPC => receiver.grpc_endpoint(),
            _ => receiver.http_endpoint(),
        };
        // The doctor's span is sampled all the same.
        let never = ("OTEL_TRACES_SAMPLER", "always_off");
        let (said, well) = ask(&[endpoint(&url), protocol, never]).await;
        assert!(well, "{said}");
        for line in said.lines() {
            assert!(
                line.starts_with("✓ ") && line.ends_with(&format!(" over {by}")),
                "{said}"
            );
        }
        let received = receiver.store().snapshot();
        assert_eq!((received.spans.len(), received.logs.len()), (1, 1));
        // A collection goes out at the end, too.
        assert!(!received.metrics.is_empty());
    }
}

/// All three signals fail alike, so there is one line.
async fn assert_said(env: &[(&str, &str)], sentence: &str) {
    let (said, well) = ask(env).await;
    assert!(!well, "{said}");
    let [line] = *said.lines().collect::<Vec<_>>() else {
        panic!("{said}");
    };
    let start = format!("✗ traces, metrics, logs: {sentence}");
    assert!(line.starts_with(&start), "{line}\nis not\n{start}");
}

#[tokio::test]
async fn a_port_of_the_other_protocol_is_recognised() {
    let receiver = Receiver::start().await.unwrap();
    let (grpc, http) = (receiver.grpc_endpoint(), receiver.http_endpoint());
    let at = |url: &str| url.replace("http://", "");
    // This one speaks HTTP/2 as well, but no gRPC.
    let sentence = format!("there is no OTLP over gRPC at {http}; if it is an HTTP port set ");
    assert_said(&[endpoint(&http), GRPC], &sentence).await;
    let sentence = format!("OTLP over HTTP is sent to a gRPC port, {}; set ", at(&grpc));
    assert_said(&[endpoint(&grpc), HTTP], &sentence).await;
}

#[tokio::test]
async fn an_address_without_a_collector_is_told_from_a_name_that_does_not_exist() {
    let mut upstream = Upstream::start().await.unwrap();
    upstream.set(Mode::Refuse).await.unwrap();
    let url = format!("http://{}", upstream.address());
    let sentence = format!(
        "nobody listens at {}; start a collector there",
        upstream.address()
    );
    for protocol in [GRPC, HTTP] {
        assert_said(&[endpoint(&url), protocol], &sentence).await;
        let nowhere = endpoint("http://collector.invalid:4317");
        let sentence =
            "the name collector.invalid does not resolve; correct OTEL_EXPORTER_OTLP_ENDPOINT";
        assert_said(&[nowhere, protocol], sentence).await;
    }
}

#[tokio::test]
async fn an_answer_is_explained() {
    let mut upstream = Upstream::start().await.unwrap();
    let url = format!("http://{}/v1/otlp", upstream.address());
    for (status, sentence) in [
        (
            401,
            "does not know who this is (401); set OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            403,
            "does not allow this (403); the credentials in OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            404,
            "(404); correct the path in OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        (500, "answers with status 500"),
    ] {
        upstream.set(Mode::Answer(status)).await.unwrap();
        let (said, well) = ask(&[endpoint(&url), HTTP]).await;
        assert!(!well && said.contains(sentence), "{said}");
        assert!(said.contains(&format!("{url}/v1/metrics")), "{said}");
    }
}

#[tokio::test]
async fn encryption_that_does_not_come_about_is_explained() {
    let house = House::new();
    let receiver = Receiver::start().await.unwrap();
    for (protocol, alpn, plain) in [
        (GRPC, "h2", receiver.grpc_endpoint()),
        (HTTP, "http/1.1", receiver.http_endpoint()),
    ] {
        let at = |url: &str| url.split_once("://").unwrap().1.to_owned();
        let behind = at(&plain).parse().unwrap();
        let authority = house.file("authority.pem");
        let trusted = ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.as_str());

        let front = house.front(behind, alpn, false).await;
        let (said, well) = ask(&[endpoint(&front), protocol, trusted]).await;
        assert!(well, "{said}");
        let sentence = format!(
            "the certificate of {} is signed by nobody that is trusted here",
            at(&front)
        );
        assert_said(&[endpoint(&front), protocol], &sentence).await;
        let unencrypted = front.replace("https://", "http://");
        let sentence = format!("{} wants TLS; write https://", at(&front));
        assert_said(&[endpoint(&unencrypted), protocol], &sentence).await;

        let mutual = house.front(behind, alpn, true).await;
        let (said, well) = ask(&[endpoint(&mutual), protocol, trusted]).await;
        let asks = "who this is (mTLS)";
        assert!(
            !well && said.lines().all(|line| line.contains(asks)),
            "{said}"
        );

        let encrypted = plain.replace("http://", "https://");
        let sentence = format!("{} speaks plain text; write http://", at(&plain));
        assert_said(&[endpoint(&encrypted), protocol, trusted], &sentence).await;
    }
}

#[tokio::test]
async fn what_is_not_sent_is_said_and_nothing_sent_is_not_well() {
    let off = ["TRACES", "METRICS", "LOGS"].map(|signal| format!("OTEL_{signal}_EXPORTER"));
    let env: Vec<_> = off.iter().map(|name| (name.as_str(), "console")).collect();
    let (said, well) = ask(&env).await;
    assert!(!well, "{said}");
    assert!(
        said.starts_with("- traces: not sent, since OTEL_TRACES_EXPORTER=console; "),
        "{said}"
    );
    let (said, well) = ask(&[("OTEL_SDK_DISABLED", "true")]).await;
    assert!(
        !well && said.contains("switched off by OTEL_SDK_DISABLED"),
        "{said}"
    );
}

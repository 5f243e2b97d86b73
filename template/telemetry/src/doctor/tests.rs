use tokio::net::TcpListener;

use super::*;
use crate::settings::Protocol;

/// What is said of an export that failed with `error`, to a port where each connection gets `answer`.
async fn said(protocol: Protocol, answer: &'static [u8], error: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 16];
            let _ = stream.read(&mut question).await;
            let _ = stream.write_all(answer).await;
        }
    });
    explained(&format!("http://{address}"), protocol, error)
        .await
        .replace(&address.to_string(), "<at>")
}

async fn explained(endpoint: &str, protocol: Protocol, error: &str) -> String {
    let endpoint = endpoint.to_owned();
    let env =
        Env::new(move |name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
    let target = Target::of(&env, "TRACES", protocol);
    target.explain(error, &env).await
}

const UNAVAILABLE: &str = "TonicTracesClient export failed with gRPC code: Unavailable: broken";
const NETWORK: &str = "HTTP export failed: network error";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn what_a_port_speaks_tells_what_to_set() {
    let http = Protocol::HttpProtobuf;
    assert_eq!(
        said(
            Protocol::Grpc,
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            UNAVAILABLE
        )
        .await,
        "gRPC is sent to an HTTP port, <at>; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or the collector's gRPC port (often 4317) in OTEL_EXPORTER_OTLP_ENDPOINT"
    );
    assert_eq!(
        said(http, SETTINGS, NETWORK).await,
        "OTLP over HTTP is sent to a gRPC port, <at>; set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or the collector's HTTP port (often 4318) in OTEL_EXPORTER_OTLP_ENDPOINT"
    );
    for alert in [
        &b"\x15\x03\x01\0\x02\x02\x16"[..],
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    ] {
        assert_eq!(
            said(http, alert, NETWORK).await,
            "<at> wants TLS; write https:// in OTEL_EXPORTER_OTLP_ENDPOINT"
        );
    }
    assert_eq!(
        said(Protocol::Grpc, b"", UNAVAILABLE).await,
        "<at> accepts connections and does not answer; it may be no collector, or one that hangs"
    );
}

#[tokio::test]
async fn an_answer_tells_without_asking_again() {
    let of = |protocol, error: &'static str| explained("http://collector:1", protocol, error);
    for (error, sentence) in [
        (
            "HTTP export failed with status code: 401",
            "http://collector:1/v1/traces does not know who this is (401)",
        ),
        (
            "HTTP export failed with status code: 403",
            "http://collector:1/v1/traces does not allow this (403)",
        ),
        (
            "HTTP export failed with status code: 404",
            "there is nothing that takes traces at http://collector:1/v1/traces (404)",
        ),
        (
            "HTTP export failed with status code: 500",
            "http://collector:1/v1/traces answers with status 500",
        ),
    ] {
        let said = of(Protocol::HttpProtobuf, error).await;
        assert!(said.starts_with(sentence), "{said}");
    }
    for (code, sentence) in [
        (
            "Unauthenticated",
            "http://collector:1 does not know who this is (401)",
        ),
        (
            "PermissionDenied",
            "http://collector:1 does not allow this (403)",
        ),
        (
            "Unimplemented",
            "there is no OTLP over gRPC at http://collector:1",
        ),
    ] {
        let error = format!("TonicTracesClient export failed with gRPC code: {code}");
        let said = explained("http://collector:1", Protocol::Grpc, &error).await;
        assert!(said.starts_with(sentence), "{said}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_there_is_named_without_its_credentials() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let url = format!("http://user:hunter2@{refused}");
    let said = explained(&url, Protocol::Grpc, UNAVAILABLE).await;
    assert!(
        said.starts_with(&format!("nobody listens at {refused}; ")),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");

    // RFC 6761 keeps `.invalid` from ever being a name.
    let said = explained("http://collector.invalid:4317", Protocol::Grpc, UNAVAILABLE).await;
    assert!(
        said.starts_with("the name collector.invalid does not resolve; "),
        "{said}"
    );
}

#[test]
fn it_is_healthy_when_something_is_sent_and_all_of_it_arrives() {
    let mut diagnosis = Diagnosis::default();
    assert!(!diagnosis.is_healthy());
    diagnosis.add("traces", Outcome::NotSent, "off".to_owned());
    assert!(!diagnosis.is_healthy());
    diagnosis.add("metrics", Outcome::Accepted, "well".to_owned());
    assert!(diagnosis.is_healthy());
    diagnosis.add("logs", Outcome::Lost, "away".to_owned());
    diagnosis.add("more", Outcome::Lost, "away".to_owned());
    assert!(!diagnosis.is_healthy());
    assert_eq!(
        diagnosis.to_string(),
        "- traces: off\n✓ metrics: well\n✗ logs, more: away"
    );
}

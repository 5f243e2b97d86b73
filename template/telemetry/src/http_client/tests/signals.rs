use std::time::Duration;

use http::{HeaderValue, Method, header::AUTHORIZATION};
use opentelemetry::trace::{SpanKind, Status};

use super::{
    super::{ResendCount, SCOPE, UrlTemplate},
    rig::{Rig, attribute, get, join, server},
};

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
pub(super) const UNAVAILABLE: &str =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_is_a_client_span_and_a_duration() {
    let (rig, (address, mut heads)) = (Rig::new(), server(&[OK]).await);
    let mut request = get(&format!("http://{address}/items?token=secret&q=1"));
    let credentials = HeaderValue::from_static("Bearer secret");
    request.headers_mut().insert(AUTHORIZATION, credentials);
    let answer = rig.client.send(request).await;
    assert_eq!(answer, Some((200, "ok".to_owned())));
    assert!(
        heads
            .recv()
            .await
            .expect("a request")
            .contains("token=secret"),
        "what is sent stays as it is"
    );

    let (span, port) = (rig.span(), address.port());
    assert_eq!(
        (span.name.as_ref(), &span.span_kind, &span.status),
        ("GET", &SpanKind::Client, &Status::Unset)
    );
    assert_eq!(span.instrumentation_scope.name(), SCOPE);
    assert_eq!(
        join(&span.attributes),
        format!(
            "http.request.method=GET http.response.status_code=200 network.peer.address=127.0.0.1 network.peer.port={port} \
             network.protocol.version=1.1 server.address=127.0.0.1 server.port={port} \
             url.full=http://{address}/items?token=REDACTED&q=1"
        )
    );
    assert!(!format!("{span:?}").contains("secret"));
    let attributes = format!(
        "http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.address=127.0.0.1 \
         server.port={port}"
    );
    assert_eq!(rig.durations(), [(attributes, 1)]);
}

#[tokio::test]
async fn a_status_of_400_and_above_is_an_error_without_words() {
    let (rig, (address, _heads)) = (Rig::new(), server(&[NOT_FOUND, UNAVAILABLE]).await);
    for (nth, code) in ["404", "503"].into_iter().enumerate() {
        let answer = rig.get(&format!("http://{address}/")).await;
        let (status, _) = answer.expect("the caller sees what came");
        assert_eq!(status.to_string(), code);
        let span = &rig.spans()[nth];
        assert_eq!(span.status, Status::error(""));
        assert_eq!(attribute(span, "error.type"), Some(code.into()));
        assert!(
            rig.durations()
                .iter()
                .any(|(attributes, _)| attributes.contains(&format!("error.type={code}")))
        );
    }
}

#[tokio::test]
async fn names_are_of_low_cardinality() {
    let (rig, (address, _heads)) = (Rig::new(), server(&[OK, OK]).await);
    let made_up = Method::from_bytes(b"BREW").expect("a token");
    let url = format!("http://{address}/users/7");
    let mut request = get(&url);
    *request.method_mut() = made_up;
    rig.client.send(request).await.expect("answered");
    let mut request = get(&url);
    let template = UrlTemplate("/users/{id}");
    request.extensions_mut().insert(template);
    rig.client.send(request).await.expect("answered");

    let [other, templated] = &rig.spans()[..] else {
        panic!("two spans")
    };
    assert_eq!(other.name, "HTTP");
    assert_eq!(
        attribute(other, "http.request.method"),
        Some("_OTHER".into())
    );
    assert_eq!(
        attribute(other, "http.request.method_original"),
        Some("BREW".into())
    );
    assert_eq!(templated.name, "GET /users/{id}");
    assert_eq!(
        attribute(templated, "url.template"),
        Some("/users/{id}".into())
    );
    assert!(
        rig.durations()
            .iter()
            .all(|(attributes, _)| !attributes.contains("BREW"))
    );
}

#[tokio::test]
async fn failures_have_a_class() {
    let (silent, _heads) = server(&[]).await;
    let (no_tls, _plain) = server(&["I speak no TLS\r\n\r\n"]).await;
    // A port that was just given back: nobody listens.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("an address");
    for (url, class) in [
        (format!("http://{silent}/?token=secret"), "timeout"),
        (format!("http://{closed}/"), "connection_refused"),
        ("http://nowhere.invalid/".into(), "dns"),
        (format!("https://{no_tls}/"), "tls"),
    ] {
        let patience = if class == "timeout" { 50 } else { 5_000 };
        let rig = Rig::with("", Duration::from_millis(patience));
        assert_eq!(rig.get(&url).await, None, "no response");
        let span = rig.span();
        assert_eq!(attribute(&span, "error.type"), Some(class.into()), "{url}");
        assert_eq!(span.status, Status::error(class));
        assert_eq!(attribute(&span, "http.response.status_code"), None);
        assert!(!format!("{span:?}").contains("secret"));
        assert!(
            rig.durations()[0]
                .0
                .contains(&format!("error.type={class}"))
        );
    }
}

#[tokio::test]
async fn giving_up_is_no_error() {
    let (rig, (address, _heads)) = (Rig::new(), server(&[]).await);
    let url = format!("http://{address}/");
    tokio::time::timeout(Duration::from_millis(200), rig.get(&url))
        .await
        .expect_err("given up");
    let span = rig.span();
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attribute(&span, "error.type"), None);
    assert_eq!(rig.durations().len(), 1);
}

#[tokio::test]
async fn each_attempt_is_a_span() {
    let (rig, (address, _heads)) = (Rig::new(), server(&[UNAVAILABLE, OK]).await);
    for count in [0, 1] {
        let mut request = get(&format!("http://{address}/"));
        request.extensions_mut().insert(ResendCount(count));
        rig.client.send(request).await.expect("answered");
    }
    let spans = rig.spans();
    let counts = spans
        .iter()
        .map(|span| attribute(span, "http.request.resend_count"));
    assert!(counts.eq([None, Some(1.into())]));
}

//! Requests by ureq.

use std::time::Duration;

use http::Request;
use opentelemetry::trace::{
    FutureExt as _, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use tokio::{io::AsyncReadExt as _, net::TcpListener, time};
use tracing::Instrument as _;
use ureq::{Agent, tls::TlsConfig};

use super::{
    super::{Instrumentation, adapter, blocking},
    rig::{Rig, attribute, server},
    signals::OK,
};

pub(super) struct Client(Agent);

impl Client {
    pub(super) fn new(instrumentation: Instrumentation, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .allow_non_standard_methods(true)
            .http_status_as_error(false)
            .proxy(None)
            // No certificate is good enough.
            .tls_config(TlsConfig::builder().root_certs([].into()).build())
            .timeout_global(Some(timeout));
        Self(adapter::traced(config, instrumentation))
    }

    /// The response's status and body; `None` without a response.
    pub(super) async fn send(&self, request: Request<()>) -> Option<(u16, String)> {
        let agent = self.0.clone();
        blocking(move || {
            let mut response = agent.run(request).ok()?;
            let status = response.status().as_u16();
            Some((status, response.body_mut().read_to_string().ok()?))
        })
        .await
    }
}

#[tokio::test]
async fn the_context_and_the_span_go_along() {
    let trace = crate::testing::Trace::new();
    let work = async {
        let name = || tracing::Span::current().metadata().map(|span| span.name());
        let seen = blocking(move || (name(), crate::current_trace_id())).await;
        assert_eq!(seen, (Some("outer"), Some(trace.id())));
    };
    let work = async { work.instrument(tracing::info_span!("outer")).await };
    work.with_context(trace.context()).await;
}

#[tokio::test]
async fn who_gives_up_hangs_up() {
    let rig = Rig::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let agent = rig.client.0.clone();
    let (done, is_done) = tokio::sync::oneshot::channel();
    let work = tokio::spawn(blocking(move || {
        let outcome = agent.get(&url).call().map(drop);
        let _ = done.send((outcome.is_err(), agent.get(&url).call().is_err()));
    }));

    let (mut stream, _) = listener.accept().await.expect("a call");
    let mut head = [0; 4096];
    assert_ne!(stream.read(&mut head).await.expect("a head"), 0);
    work.abort();

    let patience = Duration::from_secs(2);
    let rest = time::timeout(patience, stream.read(&mut head)).await;
    assert_eq!(rest.expect("in time").expect("the end"), 0);
    let outcome = time::timeout(patience, is_done).await;
    let second_as_well = (true, true);
    assert_eq!(
        outcome.expect("in time").expect("an outcome"),
        second_as_well
    );
    let span = rig.span();
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attribute(&span, "error.type"), None);
    assert_eq!(rig.durations().len(), 1);
}

#[tokio::test]
async fn a_connection_that_went_on_to_another_call_is_left_alone() {
    const KEPT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (rig, (address, _heads)) = (Rig::new(), server(&[KEPT, OK]).await);
    let (agent, url) = (rig.client.0.clone(), format!("http://{address}/"));
    let (again, go_on) = std::sync::mpsc::channel::<()>();
    let work = tokio::spawn(blocking(move || {
        let body = agent
            .get(&url)
            .call()
            .map(|mut it| it.body_mut().read_to_string());
        body.expect("answered").expect("a body");
        let _ = go_on.recv();
    }));
    time::sleep(Duration::from_millis(100)).await;
    work.abort();
    let _ = work.await;
    assert_eq!(
        rig.get(&format!("http://{address}/")).await.map(|it| it.0),
        Some(200)
    );
    drop(again);
}

#[test]
fn outside_of_async_code_it_works_too() {
    let rig = Rig::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (address, _heads) = runtime.block_on(server(&[OK]));
    let context =
        opentelemetry::Context::new().with_span(rig.tracers.tracer("test").start("parent"));
    let parent = context.span().span_context().span_id();
    let entered = context.attach();
    let response = rig.client.0.get(format!("http://{address}/")).call();
    drop(entered);
    assert_eq!(response.expect("answered").status(), 200);
    let span = &rig.spans()[0];
    assert_eq!(span.parent_span_id, parent);
    assert_eq!(
        attribute(span, "network.peer.address"),
        Some("127.0.0.1".into())
    );
}

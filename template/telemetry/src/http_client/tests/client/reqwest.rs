//! Requests by reqwest.

use std::time::Duration;

use http::{Extensions, Request};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};

use super::{
    super::{Instrumentation, ResendCount, Traced, UrlTemplate},
    rig::{Rig, attribute, instrumentation, server},
    signals::{OK, UNAVAILABLE},
};

pub(super) struct Client(ClientWithMiddleware);

impl Client {
    pub(super) fn new(instrumentation: Instrumentation, timeout: Duration) -> Self {
        Self::with(timeout, |client| client.with(Traced::with(instrumentation)))
    }

    fn with(timeout: Duration, arrange: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let plain = reqwest::Client::builder().no_proxy().timeout(timeout);
        let plain = plain.build().expect("a client");
        Self(arrange(ClientBuilder::new(plain)).build())
    }

    /// The response's status and body; `None` without a response.
    pub(super) async fn send(&self, request: Request<()>) -> Option<(u16, String)> {
        let (parts, ()) = request.into_parts();
        let url = parts.uri.to_string();
        let mut sent = self.0.request(parts.method, url).headers(parts.headers);
        if let Some(template) = parts.extensions.get::<UrlTemplate>() {
            sent = sent.with_extension(template.clone());
        }
        if let Some(count) = parts.extensions.get::<ResendCount>() {
            sent = sent.with_extension(*count);
        }
        let response = sent.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }
}

/// Tries again once.
struct Retry;

#[async_trait::async_trait]
impl Middleware for Retry {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        let again = request.try_clone().expect("a request without a body");
        let first = next.clone().run(request, extensions).await?;
        if first.status().is_server_error() {
            next.run(again, extensions).await
        } else {
            Ok(first)
        }
    }
}

#[tokio::test]
async fn each_attempt_of_a_middleware_that_retries_is_counted() {
    let mut rig = Rig::new();
    let traced = Traced::with(instrumentation(&rig.tracers, &rig.meters, ""));
    let arrange = |client: ClientBuilder| client.with(Retry).with(traced);
    rig.client = Client::with(Duration::from_secs(5), arrange);
    let (address, _heads) = server(&[UNAVAILABLE, OK, OK]).await;
    for _ in 0..2 {
        rig.get(&format!("http://{address}/")).await;
    }
    let spans = rig.spans();
    let counts = spans
        .iter()
        .map(|span| attribute(span, "http.request.resend_count"));
    assert!(counts.eq([None, Some(1.into()), None]));
}

//! Requests by reqwest.

use std::time::Duration;

use http::{Extensions, Request};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};

use super::{
    super::{Instrumentation, ResendCount, Traced, UrlTemplate},
    rig::{Rig, attribute, instrumentation, server},
    signals::{OK, UNAVAILABLE},
};

pub(super) struct Client {
    client: reqwest::Client,
    traced: Traced,
}

impl Client {
    pub(super) fn new(instrumentation: Instrumentation, timeout: Duration) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(timeout);
        Self {
            client: client.build().expect("a client"),
            traced: Traced::with(instrumentation),
        }
    }

    /// The response's status and body; `None` without a response.
    pub(super) async fn send(&self, request: Request<()>) -> Option<(u16, String)> {
        let (parts, ()) = request.into_parts();
        let request = self.client.request(parts.method, parts.uri.to_string());
        let count = parts.extensions.get::<ResendCount>().copied();
        let template = parts.extensions.get::<UrlTemplate>().cloned();
        let request = request.headers(parts.headers);
        let sent = self
            .traced
            .send(request, count.unwrap_or_default(), template);
        let response = sent.await.ok()?;
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
    let rig = Rig::new();
    let traced = Traced::with(instrumentation(&rig.tracers, &rig.meters, ""));
    let client = ClientBuilder::new(rig.client.client.clone());
    let client = client.with(Retry).with(traced).build();
    let (address, _heads) = server(&[UNAVAILABLE, OK, OK]).await;
    for _ in 0..2 {
        let request = client.get(format!("http://{address}/"));
        let request = request.with_extension(UrlTemplate("/"));
        request.send().await.expect("answered");
    }
    let spans = rig.spans();
    let of_all = |key: &'static str| spans.iter().map(move |span| attribute(span, key));
    assert!(of_all("http.request.resend_count").eq([None, Some(1.into()), None]));
    assert!(of_all("url.template").all(|template| template == Some("/".into())));
}

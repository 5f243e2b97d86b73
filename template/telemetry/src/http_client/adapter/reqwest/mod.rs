//! reqwest, by itself or by a middleware.

use std::{error::Error as _, pin::pin, sync::Arc};

use http::Extensions;
use opentelemetry::{Context, trace::FutureExt as _};
use reqwest::{Request, RequestBuilder, Response};
use reqwest_middleware::{Error, Middleware, Next};

use super::{Call, Instrumentation, Outgoing, ResendCount, UrlTemplate, failure};

/// What makes each attempt a span. It sends requests itself, which costs next to nothing when telemetry is off:
///
/// ```no_run
/// # async fn example(client: reqwest::Client) -> reqwest::Result<()> {
/// # use telemetry::http_client::{ResendCount, Traced, UrlTemplate};
/// let traced = Traced::new();
/// let request = client.get("https://example.com/users/1");
/// let response = traced.send(request, ResendCount(0), Some(UrlTemplate("/users/{id}"))).await?;
/// # Ok(())
/// # }
/// ```
///
/// or is a middleware, beside others:
///
/// ```no_run
/// # fn example(client: reqwest::Client) -> reqwest_middleware::ClientWithMiddleware {
/// reqwest_middleware::ClientBuilder::new(client)
///     // .with(retry) – outside, so that each attempt counts
///     .with(telemetry::http_client::Traced::new())
///     .build()
/// # }
/// ```
///
/// reqwest follows redirects below any middleware: they are part of the attempt, and receive its headers. A client that
/// sends baggage to a trusted host which redirects to others wants `redirect::Policy::none()`.
#[derive(Debug, Clone)]
pub struct Traced(Arc<Instrumentation>);

impl Traced {
    /// Takes tracer and instruments from the global providers, so telemetry must have been initialised before, and the
    /// trusted hosts from `TELEMETRY_TRUSTED_HOSTS`.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Instrumentation::new()))
    }

    #[cfg(test)]
    pub(super) fn with(instrumentation: Instrumentation) -> Self {
        Self(Arc::new(instrumentation))
    }

    /// Sends a request that was sent so often before.
    ///
    /// # Errors
    /// As `RequestBuilder::send`.
    pub async fn send(
        &self,
        request: RequestBuilder,
        resend_count: ResendCount,
        template: Option<UrlTemplate>,
    ) -> reqwest::Result<Response> {
        let (client, request) = request.build_split();
        let mut request = request?;
        let started = self.start(&mut request, resend_count, template.as_ref());
        follow(started, client.execute(request), class).await
    }

    fn start(
        &self,
        request: &mut Request,
        resend_count: ResendCount,
        template: Option<&UrlTemplate>,
    ) -> (Call, Option<Context>) {
        let url = request.url();
        let outgoing = Outgoing {
            method: request.method(),
            host: url.host_str().unwrap_or_default(),
            port: url.port_or_known_default(),
            template: template.map(|&UrlTemplate(template)| template),
            resend_count,
        };
        let call = self.0.start(&outgoing, || url.as_str().into());
        let context = call.inject(request.headers_mut());
        (call, context)
    }
}

impl Default for Traced {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait::async_trait]
impl Middleware for Traced {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let resend_count = if self.0.enabled {
            sent_before(extensions)
        } else {
            ResendCount(0)
        };
        let started = self.start(&mut request, resend_count, extensions.get());
        let class = |error: &Error| match error {
            Error::Middleware(_) => "middleware",
            Error::Reqwest(error) => class(error),
        };
        follow(started, next.run(request, extensions), class).await
    }
}

/// Waits for the response within the context of the call, and notes what came.
async fn follow<E>(
    (mut call, context): (Call, Option<Context>),
    response: impl Future<Output = Result<Response, E>>,
    class: impl FnOnce(&E) -> &'static str,
) -> Result<Response, E> {
    // So that both arms wait for the same one, in its place.
    let response = pin!(response);
    let result = match context {
        Some(context) => response.with_context(context).await,
        None => response.await,
    };
    match &result {
        Ok(response) => call.answered(
            response.status(),
            response.version(),
            response.remote_addr(),
        ),
        Err(error) => call.failed(class(error)),
    }
    result
}

/// A middleware that retries keeps the extensions from one attempt to the next.
fn sent_before(extensions: &mut Extensions) -> ResendCount {
    let count = extensions.get_or_insert_default::<ResendCount>();
    let before = *count;
    count.0 = before.0.saturating_add(1);
    before
}

/// `error.type` of a request without a response.
fn class(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_dns() {
        "dns"
    } else if let Some(class) = error.source().and_then(failure::class) {
        class
    } else if error.is_connect() {
        "connect"
    } else if error.is_redirect() {
        "redirect"
    } else if error.is_body() {
        "body"
    } else if error.is_builder() {
        "builder"
    } else if error.is_request() {
        "request"
    } else {
        "_OTHER"
    }
}

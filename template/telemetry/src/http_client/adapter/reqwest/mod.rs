//! reqwest, by a middleware.

use std::error::Error as _;

use http::Extensions;
use opentelemetry::trace::FutureExt as _;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::{Instrumentation, Outgoing, ResendCount, UrlTemplate, failure};

/// The middleware that makes each attempt a span:
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
#[derive(Debug)]
pub struct Traced(Instrumentation);

impl Traced {
    /// Takes tracer and instruments from the global providers, so telemetry must have been initialised before, and the
    /// trusted hosts from `TELEMETRY_TRUSTED_HOSTS`.
    #[must_use]
    pub fn new() -> Self {
        Self(Instrumentation::new())
    }

    #[cfg(test)]
    pub(super) fn with(instrumentation: Instrumentation) -> Self {
        Self(instrumentation)
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
    ) -> Result<Response> {
        let url = request.url();
        let outgoing = Outgoing {
            method: request.method(),
            host: url.host_str().unwrap_or_default(),
            port: url.port_or_known_default(),
            template: extensions.get().map(|&UrlTemplate(template)| template),
            resend_count: sent_before(extensions),
        };
        let mut call = self.0.start(&outgoing, || url.as_str().into());
        call.inject(request.headers_mut());
        let next = next.run(request, extensions);
        let result = match call.context() {
            Some(context) => next.with_context(context).await,
            None => next.await,
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
}

/// A middleware that retries keeps the extensions from one attempt to the next.
fn sent_before(extensions: &mut Extensions) -> ResendCount {
    let count = extensions.get_or_insert_default::<ResendCount>();
    let before = *count;
    count.0 = before.0.saturating_add(1);
    before
}

/// `error.type` of a request without a response.
fn class(error: &Error) -> &'static str {
    let error = match error {
        Error::Middleware(_) => return "middleware",
        Error::Reqwest(error) => error,
    };
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

//! ureq, by a middleware, and by a connector that knows whom it is connected to.

mod blocking;
mod connection;

use http::{Request, Response, StatusCode, Uri, Version};
use opentelemetry::Context;
use ureq::{
    Agent, Body, Error, SendBody,
    config::ConfigBuilder,
    middleware::{Middleware, MiddlewareNext},
    typestate::AgentScope,
};

use blocking::Work;
pub use blocking::blocking;

use super::{Instrumentation, Outgoing, UrlTemplate, failure};

/// An agent that makes each attempt a span. Takes tracer and instruments from the global providers, so telemetry must
/// have been initialised before, and the trusted hosts from `TELEMETRY_TRUSTED_HOSTS`.
///
/// ```no_run
/// # async fn example() -> Result<(), ureq::Error> {
/// let config = ureq::Agent::config_builder().http_status_as_error(false);
/// let agent = telemetry::http_client::agent(config);
/// // In async code:
/// let work = move || agent.get("https://example.com/").call();
/// let response = telemetry::http_client::blocking(work).await?;
/// # Ok(())
/// # }
/// ```
///
/// ureq follows redirects below any middleware: they are part of the attempt, and receive its headers. A client that
/// sends baggage to a trusted host which redirects to others wants `max_redirects(0)`. SOCKS proxies are not supported.
#[must_use]
pub fn agent(config: ConfigBuilder<AgentScope>) -> Agent {
    traced(config, Instrumentation::new())
}

pub(super) fn traced(config: ConfigBuilder<AgentScope>, instrumentation: Instrumentation) -> Agent {
    let config = config.middleware(Traced(instrumentation)).build();
    Agent::with_parts(
        config,
        connection::connector(),
        connection::Names::default(),
    )
}

#[derive(Debug)]
struct Traced(Instrumentation);

impl Middleware for Traced {
    fn handle(
        &self,
        mut request: Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, Error> {
        let work = Work::current()?;
        let uri = request.uri();
        let extensions = request.extensions();
        let outgoing = Outgoing {
            method: request.method(),
            host: uri.host().unwrap_or_default(),
            port: uri.port_u16().or_else(|| default_port(uri)),
            template: extensions.get().map(|&UrlTemplate(template)| template),
            resend_count: extensions.get().copied().unwrap_or_default(),
        };
        let call = self.0.start(&outgoing, || uri.to_string().into());
        let context = call.inject(request.headers_mut());
        let _entered = context.map(Context::attach);
        let attempt = work.begin(call)?;
        let result = next.handle(request);
        attempt.end(|call, peer| match &result {
            Ok(response) => call.answered(response.status(), response.version(), peer),
            // How ureq returns a status from 400 on, unless told otherwise.
            Err(Error::StatusCode(code)) => match StatusCode::from_u16(*code) {
                Ok(status) => call.answered(status, Version::HTTP_11, peer),
                Err(_) => call.failed("_OTHER"),
            },
            Err(error) => call.failed(class(error)),
        });
        result
    }
}

fn default_port(uri: &Uri) -> Option<u16> {
    match uri.scheme_str()? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// `error.type` of a request without a response.
fn class(error: &Error) -> &'static str {
    match error {
        Error::Timeout(_) => "timeout",
        Error::HostNotFound => "dns",
        Error::Io(error) => failure::class(error).unwrap_or("request"),
        Error::Rustls(error) => failure::class(error).unwrap_or("tls"),
        Error::Tls(_) | Error::TlsRequired | Error::Pem(_) => "tls",
        Error::ConnectionFailed | Error::ConnectProxyFailed(_) => "connect",
        Error::RedirectFailed | Error::TooManyRedirects => "redirect",
        Error::BadUri(_) | Error::Http(_) | Error::RequireHttpsOnly(_) => "builder",
        Error::Protocol(_) | Error::LargeResponseHeader(..) => "request",
        _ => "_OTHER",
    }
}

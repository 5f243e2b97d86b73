//! HTTP server: one span, one duration and one session for each request, whatever the framework.
//!
//! The semantics live here, once: <https://opentelemetry.io/docs/specs/semconv/http/>. `adapter` translates one
//! framework's requests and responses into [`Request`] and [`ServerSpan`] and decides nothing.

mod adapter;
mod metrics;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Instant,
};

use http::HeaderValue;
use opentelemetry::{
    Context, KeyValue, StringValue,
    global::{self, BoxedTracer},
    propagation::Extractor,
    trace::{SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::attribute;

pub use adapter::*;

use crate::{
    exception,
    methods::{KnownMethods, OTHER},
    propagation::{self, Caller},
    redact,
};

const SCOPE: &str = "telemetry.http_server";

/// Why a response failed, in a word: an extension of the response that becomes `error.type` of span and metric.
/// Without it, a 5xx has its status code there.
#[derive(Debug, Clone, Copy)]
pub struct ErrorType(pub &'static str);

/// A request as the conventions see it.
pub struct Request<'a> {
    /// As sent; unknown methods are reported as `_OTHER`. Empty where the framework does not tell.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The path, undecoded.
    pub path: &'a str,
    /// The query without `?`.
    pub query: Option<&'a str>,
    /// The route's pattern, as the framework writes it: `/users/{id}`. None where no route matched.
    pub route: Option<&'a str>,
    /// `1.0`, `1.1`, `2` or `3`.
    pub protocol_version: &'static str,
    /// The host and port that the client addressed: the Host header or `:authority`.
    pub authority: Option<&'a str>,
    /// The other end of the connection.
    pub peer: Option<SocketAddr>,
    /// The request's headers.
    pub headers: &'a dyn Extractor,
}

// Taken at the first request, so after `init` has set the provider.
static TRACER: LazyLock<BoxedTracer> = LazyLock::new(|| global::tracer(SCOPE));
static METHODS: LazyLock<KnownMethods> = LazyLock::new(KnownMethods::from_env);
static EXCLUDED_PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let paths = std::env::var("TELEMETRY_EXCLUDED_PATHS");
    let paths = paths
        .as_deref()
        .unwrap_or("/health,/healthz,/ready,/readyz");
    paths
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect()
});

/// A request being served: its span, its share of the active requests, its clock. Ends exactly once, also when it is
/// dropped because the client went away or a panic unwinds.
#[derive(Debug)]
pub struct ServerSpan {
    context: Context,
    start: Instant,
    /// The metrics' attributes; the first [`metrics::ACTIVE`] of them are those of the active requests. None when telemetry
    /// is off.
    attributes: Option<Vec<KeyValue>>,
    responded: bool,
}

impl ServerSpan {
    /// Begins the span of a request. None for excluded paths.
    #[must_use]
    pub fn start(request: &Request<'_>) -> Option<Self> {
        if EXCLUDED_PATHS.iter().any(|path| path == request.path) {
            return None;
        }
        let caller = Caller::of(request.headers);
        Some(if crate::guard::enabled() {
            Self::begin(request, caller)
        } else {
            Self::unseen(caller)
        })
    }

    /// When telemetry is off the caller's context passes through, so that only this service is missing from the trace:
    /// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration>.
    fn unseen(caller: Caller) -> Self {
        Self {
            context: caller.parent,
            start: Instant::now(),
            attributes: None,
            responded: false,
        }
    }

    fn begin(request: &Request<'_>, caller: Caller) -> Self {
        let Caller { parent, links } = caller;
        let method = METHODS.get(request.method);
        let attributes =
            metrics::attributes(request, method.clone().unwrap_or(Cow::Borrowed(OTHER)));
        let span_attributes = span_attributes(request, method.is_some(), &attributes);
        metrics::INSTRUMENTS
            .active
            .add(1, &attributes[..metrics::ACTIVE]);

        let builder = TRACER
            .span_builder(span_name(method, request.route))
            .with_kind(SpanKind::Server)
            .with_attributes(span_attributes)
            .with_links(links);
        let span = TRACER.build_with_context(builder, &parent);
        Self {
            context: parent.with_span(span),
            start: Instant::now(),
            attributes: Some(attributes),
            responded: false,
        }
    }

    /// What the handler runs in.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Headers that lead the caller to the trace, if there is one: `traceresponse` and `Server-Timing`.
    pub fn response_headers(&self) -> impl Iterator<Item = (&'static str, HeaderValue)> + use<> {
        let headers = propagation::response_headers(&self.context);
        headers.into_iter().flatten()
    }

    /// Notes the response's head. Only 5xx are errors of a server.
    pub fn respond(&mut self, status: u16, error: Option<ErrorType>) {
        self.responded = true;
        self.note(KeyValue::new(
            attribute::HTTP_RESPONSE_STATUS_CODE,
            i64::from(status),
        ));
        if status >= 500 {
            let error = error.map_or_else(
                || Cow::Owned(status.to_string()),
                |error| Cow::Borrowed(error.0),
            );
            self.fail(error);
        }
    }

    /// Notes that the body broke off after the head was sent.
    pub fn body_failed(&mut self) {
        self.fail(Cow::Borrowed("body"));
    }

    fn fail(&mut self, error: Cow<'static, str>) {
        let Some(attributes) = &mut self.attributes else {
            return;
        };
        let is_error = |known: &KeyValue| known.key.as_str() == attribute::ERROR_TYPE;
        if attributes.iter().any(is_error) {
            return;
        }
        let error = KeyValue::new(attribute::ERROR_TYPE, error);
        let span = self.context.span();
        if !exception::is_marked_by_panic(span.span_context().span_id()) {
            span.set_attribute(error.clone());
            span.set_status(Status::error(""));
        }
        attributes.push(error);
    }

    /// An attribute of span and metric alike.
    fn note(&mut self, attribute: KeyValue) {
        if let Some(attributes) = &mut self.attributes {
            self.context.span().set_attribute(attribute.clone());
            attributes.push(attribute);
        }
    }
}

impl Drop for ServerSpan {
    fn drop(&mut self) {
        if !self.responded {
            let cause = if std::thread::panicking() {
                "panic"
            } else {
                "cancelled"
            };
            self.fail(Cow::Borrowed(cause));
        }
        let Some(attributes) = &self.attributes else {
            return;
        };
        metrics::INSTRUMENTS
            .active
            .add(-1, &attributes[..metrics::ACTIVE]);
        metrics::INSTRUMENTS
            .duration
            .record(self.start.elapsed().as_secs_f64(), attributes);
        self.context.span().end();
    }
}

/// `{method} {route}`, never the path: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name>.
fn span_name(method: Option<Cow<'static, str>>, route: Option<&str>) -> Cow<'static, str> {
    let method = method.unwrap_or(Cow::Borrowed("HTTP"));
    match route {
        Some(route) => Cow::Owned(format!("{method} {route}")),
        None => method,
    }
}

/// The span's attributes: the metrics' and those that only a span may have, since their values have no bound.
fn span_attributes(
    request: &Request<'_>,
    method_is_known: bool,
    metric_attributes: &[KeyValue],
) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(metric_attributes.len() + 12);
    attributes.extend_from_slice(metric_attributes);
    let mut text = |key: &'static str, value: &str| {
        attributes.push(KeyValue::new(key, StringValue::from(value.to_owned())));
    };
    if !method_is_known && !request.method.is_empty() {
        text(attribute::HTTP_REQUEST_METHOD_ORIGINAL, request.method);
    }
    text(attribute::URL_PATH, request.path);
    if let Some(query) = request.query {
        text(attribute::URL_QUERY, &redact::query(query));
    }
    if let Some(agent) = request.headers.get("user-agent") {
        text(attribute::USER_AGENT_ORIGINAL, agent);
    }
    if let Some(peer) = request.peer {
        // Forwarded and X-Forwarded-For are not believed: anyone can send them.
        let address = Arc::<str>::from(peer.ip().to_string());
        attributes.push(KeyValue::new(attribute::CLIENT_ADDRESS, address.clone()));
        attributes.push(KeyValue::new(attribute::NETWORK_PEER_ADDRESS, address));
        attributes.push(KeyValue::new(
            attribute::NETWORK_PEER_PORT,
            i64::from(peer.port()),
        ));
    }
    if let Some((host, port)) = request
        .authority
        .and_then(|authority| host_and_port(authority, request.scheme))
    {
        attributes.push(KeyValue::new(attribute::SERVER_ADDRESS, host.to_owned()));
        attributes.push(KeyValue::new(attribute::SERVER_PORT, i64::from(port)));
    }
    attributes
}

/// `example.com:8080`, `[::1]:80`, `example.com`: the port is the scheme's where none is given.
fn host_and_port<'a>(authority: &'a str, scheme: &str) -> Option<(&'a str, u16)> {
    // Who is in front of it is nobody's business.
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let default = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    (!host.is_empty()).then_some((host, port))
}

//! HTTP server: one span, one duration and one session for each request, whatever the framework.
//!
//! The semantics live here, once: <https://opentelemetry.io/docs/specs/semconv/http/>. `adapter` translates one
//! framework's requests and responses into [`Request`] and [`ServerSpan`] and decides nothing.

mod adapter;
mod kind;
pub(crate) mod recent;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Instant,
};

use http::{HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue, StringValue,
    baggage::BaggageExt as _,
    propagation::Extractor,
    trace::{Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::{Span, Tracer};
use opentelemetry_semantic_conventions::attribute;

pub use adapter::*;
use kind::Kind;

use crate::{
    exception, guard,
    propagation::{self, Caller},
    redact, sampler,
};

const SCOPE: &str = "telemetry.http_server";

/// As many as a span has, with room for the session and the outcome.
const ATTRIBUTES: usize = 16;

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
static TRACER: LazyLock<Option<Tracer>> = LazyLock::new(|| guard::tracer(SCOPE));
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
    /// None when telemetry is off.
    kind: Option<Arc<Kind>>,
    status: Option<u16>,
    error: Option<Cow<'static, str>>,
}

impl ServerSpan {
    /// Begins the span of a request. None for excluded paths, and where there is nothing to record or to pass on.
    #[must_use]
    pub fn start(request: &Request<'_>) -> Option<Self> {
        if EXCLUDED_PATHS.iter().any(|path| path == request.path) {
            return None;
        }
        let caller = Caller::of(request.headers);
        if guard::enabled() {
            Some(Self::begin(request, caller))
        } else {
            Self::unseen(caller)
        }
    }

    /// When telemetry is off the caller's context passes through, so that only this service is missing from the trace:
    /// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration>.
    fn unseen(caller: Caller) -> Option<Self> {
        let context = caller.parent;
        // A session is in the baggage.
        let says_something = context.has_active_span() || !context.baggage().is_empty();
        says_something.then(|| Self {
            context,
            start: Instant::now(),
            kind: None,
            status: None,
            error: None,
        })
    }

    fn begin(request: &Request<'_>, caller: Caller) -> Self {
        let Caller { parent, links } = caller;
        let kind = Kind::of(request);
        kind.began();
        Self {
            context: match &*TRACER {
                Some(tracer) => parent.with_span(span(tracer, request, &kind, &parent, links)),
                None => parent,
            },
            start: Instant::now(),
            kind: Some(kind),
            status: None,
            error: None,
        }
    }

    /// What the handler runs in.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Headers that lead the caller to the trace, if there is one: `traceresponse` and `Server-Timing`.
    pub fn response_headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        let headers = propagation::response_headers(&self.context);
        headers.into_iter().flatten()
    }

    /// Notes the response's head. Only 5xx are errors of a server.
    pub fn respond(&mut self, status: u16, error: Option<ErrorType>) {
        self.status = Some(status);
        if self.kind.is_some() {
            let code = KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
            self.context.span().set_attribute(code);
        }
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
        if self.kind.is_none() || self.error.is_some() {
            return;
        }
        let span = self.context.span();
        if !exception::is_marked_by_panic(span.span_context().span_id()) {
            span.set_attribute(KeyValue::new(attribute::ERROR_TYPE, error.clone()));
            span.set_status(Status::error(""));
        }
        self.error = Some(error);
    }
}

impl Drop for ServerSpan {
    fn drop(&mut self) {
        if self.status.is_none() {
            let cause = if std::thread::panicking() {
                "panic"
            } else {
                "cancelled"
            };
            self.fail(Cow::Borrowed(cause));
        }
        if let Some(kind) = &self.kind {
            kind.ended(self.start.elapsed(), self.status, self.error.take());
            self.context.span().end();
        }
    }
}

fn span(
    tracer: &Tracer,
    request: &Request<'_>,
    kind: &Kind,
    parent: &Context,
    links: Vec<Link>,
) -> Span {
    // Most spans may be dropped, and no sampler here looks at attributes.
    let is_recorded = sampler::records_below(parent);
    let builder = SpanBuilder {
        name: kind.span_name.clone(),
        span_kind: Some(SpanKind::Server),
        attributes: is_recorded.then(|| span_attributes(request, kind)),
        links: Some(links),
        ..SpanBuilder::default()
    };
    let mut span = tracer.build_with_context(builder, parent);
    if !is_recorded && span.is_recording() {
        span.set_attributes(span_attributes(request, kind));
    }
    span
}

/// The span's attributes: the metrics' and those that only a span may have, since their values have no bound.
fn span_attributes(request: &Request<'_>, kind: &Kind) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(ATTRIBUTES);
    attributes.extend_from_slice(&kind.attributes);
    let mut text = |key: &'static str, value: &str| {
        attributes.push(KeyValue::new(key, StringValue::from(value.to_owned())));
    };
    if !kind.method_is_known && !request.method.is_empty() {
        text(attribute::HTTP_REQUEST_METHOD_ORIGINAL, request.method);
    }
    text(attribute::URL_PATH, request.path);
    if let Some(query) = request.query {
        text(attribute::URL_QUERY, &redact::query(query));
    }
    if let Some(agent) = request.headers.get("user-agent") {
        let agent = recent::text(agent);
        attributes.push(KeyValue::new(attribute::USER_AGENT_ORIGINAL, agent));
    }
    if let Some(peer) = request.peer {
        // Forwarded and X-Forwarded-For are not believed: anyone can send them.
        let address = recent::address(peer.ip());
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
        attributes.push(KeyValue::new(attribute::SERVER_ADDRESS, recent::text(host)));
        attributes.push(KeyValue::new(attribute::SERVER_PORT, i64::from(port)));
    }
    attributes
}

/// `example.com:8080`, `[::1]:80`, `example.com`: the port is the scheme's where none is given.
fn host_and_port<'a>(authority: &'a str, scheme: &str) -> Option<(&'a str, u16)> {
    // Who is in front of it is nobody's business.
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, rest)| rest);
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

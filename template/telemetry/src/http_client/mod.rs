//! The HTTP client: every attempt to send a request is a CLIENT span and counts into `http.client.request.duration`, and
//! carries the trace to whom it calls. <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span>
//!
//! Here is what that means for any client library; `adapter` fits it to the one of this service. A span lasts until the
//! head of the response is there. Reading the body is the caller's time, and an error in it is the caller's.
//!
//! `traceparent` always leaves. Baggage may hold what is nobody else's business (the session, say), so it leaves only to
//! the hosts in `TELEMETRY_TRUSTED_HOSTS`. No header's value ever becomes part of a signal, nor a secret in a URL.

mod adapter;
mod failure;
mod kind;
#[cfg(test)]
mod tests;
mod url;

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Instant};

use http::{HeaderMap, Method, StatusCode, Version};
use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedSpan, BoxedTracer},
    metrics::Meter,
    trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_REQUEST_RESEND_COUNT, NETWORK_PEER_ADDRESS,
    NETWORK_PEER_PORT, URL_FULL,
};

pub use adapter::*;
use kind::{Answer, Kind, Kinds};

use crate::{
    guard,
    methods::KnownMethods,
    sampler::may_record_below,
    trusted_hosts::{self, TrustedHosts},
};

/// The instrumentation scope of all signals from here.
const SCOPE: &str = "telemetry.http_client";

/// As many as a span has, with room for the session and the outcome.
const ATTRIBUTES: usize = 12;

/// The pattern of a request's path, such as `/users/{id}`. Given as an extension of the request it joins the span's name,
/// which must not hold the path itself, and becomes `url.template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// How often a request was sent before. Who sends one again says so to [`Traced`], or by an extension of the request:
/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-request-retries-and-redirects>.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResendCount(pub u32);

/// A request about to be sent. Its URL is asked for where it is recorded only.
struct Outgoing<'a> {
    method: &'a Method,
    host: &'a str,
    port: Option<u16>,
    template: Option<&'static str>,
    resend_count: ResendCount,
}

#[derive(Debug)]
struct Instrumentation {
    tracer: BoxedTracer,
    kinds: Kinds,
    trusted: TrustedHosts,
    /// Whether anything is recorded.
    enabled: bool,
}

impl Instrumentation {
    /// From the global providers and the environment: telemetry must have been initialised before.
    fn new() -> Self {
        let (methods, trusted) = (KnownMethods::from_env(), TrustedHosts::from_env());
        let enabled = guard::enabled();
        Self {
            enabled,
            ..Self::with(
                global::tracer(SCOPE),
                &global::meter(SCOPE),
                methods,
                trusted,
            )
        }
    }

    fn with(
        tracer: BoxedTracer,
        meter: &Meter,
        methods: KnownMethods,
        trusted: TrustedHosts,
    ) -> Self {
        Self {
            tracer,
            kinds: Kinds::new(meter, methods),
            trusted,
            enabled: true,
        }
    }

    /// Starts one attempt, below the current span.
    fn start<'a>(&self, request: &Outgoing<'_>, url: impl FnOnce() -> Cow<'a, str>) -> Call {
        // `[::1]` is how a URL writes an address.
        let host = request.host.trim_start_matches('[').trim_end_matches(']');
        let request = &Outgoing { host, ..*request };
        let mut call = Call {
            span: None,
            timing: None,
            trusted: self.trusted.contains(host),
        };
        if self.enabled {
            let kind = self.kinds.of(request);
            call.span = Context::map_current(|parent| {
                may_record_below(parent).then(|| self.span(request, url(), &kind, parent))
            });
            call.timing = Some(Timing::of(kind));
        }
        call
    }

    /// All attributes are there from the start, for samplers.
    fn span(
        &self,
        request: &Outgoing<'_>,
        url: Cow<'_, str>,
        kind: &Kind,
        parent: &Context,
    ) -> BoxedSpan {
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        attributes.extend_from_slice(&kind.attributes);
        attributes.push(KeyValue::new(URL_FULL, url::redacted(url)));
        if !kind.method_is_known() {
            attributes.push(KeyValue::new(
                HTTP_REQUEST_METHOD_ORIGINAL,
                request.method.as_str().to_owned(),
            ));
        }
        let ResendCount(resend_count) = request.resend_count;
        if resend_count > 0 {
            attributes.push(KeyValue::new(
                HTTP_REQUEST_RESEND_COUNT,
                i64::from(resend_count),
            ));
        }
        self.tracer
            .span_builder(kind.span_name.clone())
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, parent)
    }
}

/// One attempt in flight. It ends when it is dropped, hence once and always, and without an error if its caller gave it
/// up: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>.
#[derive(Debug)]
struct Call {
    /// None where none could be recorded: the attempt is then part of what its caller does.
    span: Option<BoxedSpan>,
    /// None when telemetry is off.
    timing: Option<Timing>,
    trusted: bool,
}

impl Call {
    /// Writes the context into the request's headers: when telemetry is off the caller's, so that only this service is
    /// missing from the trace. Returns what the work on this attempt runs in, if that is not what its caller does.
    fn inject(&self, headers: &mut HeaderMap) -> Option<Context> {
        // To know the span is enough there, to end it is ours. To share it would cost as much as to make it.
        let known = |span: &BoxedSpan| {
            let span = span.span_context().clone();
            Context::map_current(|caller| caller.with_remote_span_context(span))
        };
        let own = self.span.as_ref().map(known);
        let context = own.clone().unwrap_or_else(Context::current);
        trusted_hosts::inject(&context, headers, self.trusted);
        own
    }

    /// The head of a response came.
    fn answered(&mut self, status: StatusCode, version: Version, peer: Option<SocketAddr>) {
        let Some(timing) = &mut self.timing else {
            return;
        };
        let answer = timing.kind.answer(status, version);
        if let Some(span) = &mut self.span {
            span.set_attributes(answer.attributes.iter().cloned());
            if let Some(peer) = peer {
                let address = timing.kind.peer(peer.ip());
                span.set_attribute(KeyValue::new(NETWORK_PEER_ADDRESS, address));
                span.set_attribute(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())));
            }
            if answer.is_error() {
                // Without words: the code says it all.
                span.set_status(Status::error(""));
            }
        }
        timing.outcome = Outcome::Answered(answer);
    }

    /// No response came. `class` is short and one of few; an error's text would hold the URL.
    fn failed(&mut self, class: &'static str) {
        if let Some(span) = &mut self.span {
            span.set_attribute(KeyValue::new(ERROR_TYPE, class));
            span.set_status(Status::error(class));
        }
        if let Some(timing) = &mut self.timing {
            timing.outcome = Outcome::Failed(class);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(timing) = &self.timing {
            timing.record();
        }
        if let Some(span) = &mut self.span {
            span.end();
        }
    }
}

/// An attempt's share of the metric.
#[derive(Debug)]
struct Timing {
    kind: Arc<Kind>,
    started: Instant,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    GivenUp,
    Failed(&'static str),
    Answered(Arc<Answer>),
}

impl Timing {
    fn of(kind: Arc<Kind>) -> Self {
        Self {
            kind,
            started: Instant::now(),
            outcome: Outcome::GivenUp,
        }
    }

    fn record(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        match &self.outcome {
            Outcome::GivenUp => self.kind.unanswered(seconds, None),
            Outcome::Failed(class) => self.kind.unanswered(seconds, Some(class)),
            Outcome::Answered(answer) => answer.duration.record(seconds),
        }
    }
}

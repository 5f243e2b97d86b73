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
#[cfg(test)]
mod tests;
mod url;

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Instant};

use http::{HeaderMap, Method, StatusCode, Version};
use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedTracer},
    metrics::{Histogram, Meter},
    trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_semantic_conventions::{
    attribute::{
        ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_REQUEST_RESEND_COUNT,
        HTTP_RESPONSE_STATUS_CODE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT,
        NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_FULL, URL_TEMPLATE,
    },
    metric::HTTP_CLIENT_REQUEST_DURATION,
};

pub use adapter::*;

use crate::{
    methods::{KnownMethods, OTHER},
    trusted_hosts::{self, TrustedHosts},
};

/// The instrumentation scope of all signals from here.
const SCOPE: &str = "telemetry.http_client";

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The pattern of a request's path, such as `/users/{id}`. Given as an extension of the request it joins the span's name,
/// which must not hold the path itself, and becomes `url.template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// How often a request was sent before. Who sends one again gives it as an extension of the request:
/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-request-retries-and-redirects>.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResendCount(pub u32);

/// A request about to be sent.
struct Outgoing<'a> {
    method: &'a Method,
    url: &'a str,
    host: &'a str,
    port: Option<u16>,
    template: Option<UrlTemplate>,
    resend_count: ResendCount,
}

#[derive(Debug)]
struct Instrumentation {
    tracer: BoxedTracer,
    duration: Histogram<f64>,
    methods: KnownMethods,
    trusted: TrustedHosts,
}

impl Instrumentation {
    /// From the global providers and the environment: telemetry must have been initialised before.
    fn new() -> Self {
        let (methods, trusted) = (KnownMethods::from_env(), TrustedHosts::from_env());
        Self::with(
            global::tracer(SCOPE),
            &global::meter(SCOPE),
            methods,
            trusted,
        )
    }

    fn with(
        tracer: BoxedTracer,
        meter: &Meter,
        methods: KnownMethods,
        trusted: TrustedHosts,
    ) -> Self {
        let duration = meter
            .f64_histogram(HTTP_CLIENT_REQUEST_DURATION)
            .with_description("Duration of HTTP client requests.")
            .with_unit("s")
            .with_boundaries(BOUNDARIES.to_vec())
            .build();
        Self {
            tracer,
            duration,
            methods,
            trusted,
        }
    }

    /// Starts the span of one attempt, below the current one.
    fn start(&self, request: &Outgoing<'_>) -> Call {
        let known = self.methods.get(request.method.as_str());
        let method = known.clone().unwrap_or(Cow::Borrowed(OTHER));
        // `[::1]` is how a URL writes an address.
        let host = request.host.trim_start_matches('[').trim_end_matches(']');
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, method));
        attributes.push(KeyValue::new(SERVER_ADDRESS, Arc::<str>::from(host)));
        attributes.extend(
            request
                .port
                .map(|port| KeyValue::new(SERVER_PORT, i64::from(port))),
        );
        attributes.extend(
            request
                .template
                .as_ref()
                .map(|template| KeyValue::new(URL_TEMPLATE, template.0)),
        );

        let method_is_known = known.is_some();
        let name = known.unwrap_or(Cow::Borrowed("HTTP"));
        let name = match &request.template {
            Some(template) => format!("{name} {}", template.0).into(),
            None => name,
        };
        let builder = self.tracer.span_builder(name).with_kind(SpanKind::Client);
        let mut span = builder.start(&self.tracer);
        // No sampler here looks at attributes, and most spans may be dropped.
        if span.is_recording() {
            span.set_attributes(span_attributes(request, method_is_known, &attributes));
        }
        Call {
            context: Context::current_with_span(span),
            started: Instant::now(),
            attributes,
            duration: self.duration.clone(),
            trusted: self.trusted.contains(host),
        }
    }
}

/// The span's attributes: the metric's and those whose values have no bound.
fn span_attributes(
    request: &Outgoing<'_>,
    method_is_known: bool,
    metric_attributes: &[KeyValue],
) -> Vec<KeyValue> {
    // Room for what comes: the session, the outcome, where it was found.
    let mut attributes = Vec::with_capacity(metric_attributes.len() + 8);
    attributes.extend_from_slice(metric_attributes);
    attributes.push(KeyValue::new(URL_FULL, url::redacted(request.url)));
    if !method_is_known {
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
    attributes
}

/// One attempt in flight. It ends when it is dropped, hence once and always, and without an error if its caller gave it
/// up: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>.
#[derive(Debug)]
struct Call {
    context: Context,
    started: Instant,
    /// Of the metric.
    attributes: Vec<KeyValue>,
    duration: Histogram<f64>,
    trusted: bool,
}

impl Call {
    /// What the work on this attempt runs in.
    fn context(&self) -> Context {
        self.context.clone()
    }

    /// Writes the context into the request's headers.
    fn inject(&self, headers: &mut HeaderMap) {
        trusted_hosts::inject(&self.context, headers, self.trusted);
    }

    /// The head of a response came.
    fn answered(&mut self, status: StatusCode, version: Version, peer: Option<SocketAddr>) {
        let span = self.context.span();
        if let Some(peer) = peer.filter(|_| span.is_recording()) {
            span.set_attribute(KeyValue::new(NETWORK_PEER_ADDRESS, peer.ip().to_string()));
            span.set_attribute(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())));
        }
        let known = self.attributes.len();
        self.attributes.push(KeyValue::new(
            HTTP_RESPONSE_STATUS_CODE,
            i64::from(status.as_u16()),
        ));
        self.attributes.extend(
            protocol_version(version).map(|text| KeyValue::new(NETWORK_PROTOCOL_VERSION, text)),
        );
        if status.as_u16() >= 400 {
            self.attributes
                .push(KeyValue::new(ERROR_TYPE, status.as_str().to_owned()));
            // Without words: the code says it all.
            span.set_status(Status::error(""));
        }
        span.set_attributes(self.attributes[known..].iter().cloned());
    }

    /// No response came. `class` is short and one of few; an error's text would hold the URL.
    fn failed(&mut self, class: &'static str) {
        let error = KeyValue::new(ERROR_TYPE, class);
        let span = self.context.span();
        span.set_attribute(error.clone());
        span.set_status(Status::error(class));
        self.attributes.push(error);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.duration
            .record(self.started.elapsed().as_secs_f64(), &self.attributes);
        self.context.span().end();
    }
}

fn protocol_version(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}

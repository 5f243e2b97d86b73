//! The server's two metrics: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-server>.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use opentelemetry::{
    KeyValue, global,
    metrics::{Histogram, UpDownCounter},
};
use opentelemetry_semantic_conventions::{attribute, metric};

use super::{Request, SCOPE};

/// Seconds. The SDK's own boundaries are made for milliseconds.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// How many of [`attributes`], from the first, belong to the active requests: what is known and never changes.
pub(super) const ACTIVE: usize = 2;

pub(super) struct Instruments {
    pub(super) duration: Histogram<f64>,
    pub(super) active: UpDownCounter<i64>,
}

// Taken at the first request, so after `init` has set the meter provider.
pub(super) static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = global::meter(SCOPE);
    Instruments {
        duration: meter
            .f64_histogram(metric::HTTP_SERVER_REQUEST_DURATION)
            .with_description("Duration of HTTP server requests.")
            .with_unit("s")
            .with_boundaries(BOUNDARIES.to_vec())
            .build(),
        active: meter
            .i64_up_down_counter(metric::HTTP_SERVER_ACTIVE_REQUESTS)
            .with_description("Number of active HTTP server requests.")
            .with_unit("{request}")
            .build(),
    }
});

/// What metrics may be told apart by: values that callers cannot make up. Room is left for the outcome.
pub(super) fn attributes(request: &Request<'_>, method: Cow<'static, str>) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(6);
    attributes.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, method));
    attributes.push(KeyValue::new(
        attribute::URL_SCHEME,
        if request.scheme == "https" {
            "https"
        } else {
            "http"
        },
    ));
    attributes.push(KeyValue::new(
        attribute::NETWORK_PROTOCOL_VERSION,
        request.protocol_version,
    ));
    if let Some(route) = request.route {
        attributes.push(KeyValue::new(
            attribute::HTTP_ROUTE,
            Arc::<str>::from(route),
        ));
    }
    attributes
}

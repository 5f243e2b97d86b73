//! What requests of one kind have in common: their attributes and time series, found out once and not for each request.
//!
//! The server's two metrics: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-server>.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, LazyLock, RwLock},
    time::Duration,
};

use opentelemetry::{
    KeyValue, global,
    metrics::{BoundUpDownCounter, Histogram, UpDownCounter},
};
use opentelemetry_semantic_conventions::{attribute, metric};

use super::{Request, SCOPE};
use crate::{
    methods::{KnownMethods, OTHER},
    names,
    series::Series,
};

/// Seconds. The SDK's own boundaries are made for milliseconds.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Routes that are remembered. A service writes down its routes, and has fewer.
const CAPACITY: usize = 1024;

/// How many attributes, from the first, belong to the active requests: what is known and never changes.
const OF_ACTIVE: usize = 2;

struct Instruments {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

// Taken at the first request, so after `init` has set the meter provider.
static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
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
static METHODS: LazyLock<KnownMethods> = LazyLock::new(KnownMethods::from_env);
static KINDS: LazyLock<RwLock<ByRoute>> = LazyLock::new(RwLock::default);

type ByRoute = HashMap<Box<str>, Vec<Arc<Kind>>>;

/// Requests that metrics do not tell apart before they are answered.
#[derive(Debug)]
pub(super) struct Kind {
    /// `{method} {route}`, never the path: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name>.
    pub(super) span_name: Cow<'static, str>,
    pub(super) method_is_known: bool,
    /// Only values that callers cannot make up.
    pub(super) attributes: Vec<KeyValue>,
    identity: Identity<'static>,
    active: BoundUpDownCounter<i64>,
    /// How long it took, by status, where nothing failed.
    durations: RwLock<Vec<(u16, Arc<Series<f64>>)>>,
}

#[derive(Debug, PartialEq)]
struct Identity<'a> {
    /// None of a method that is not known.
    method: Option<Cow<'static, str>>,
    is_https: bool,
    protocol_version: &'static str,
    route: Option<Cow<'a, str>>,
}

impl Kind {
    pub(super) fn of(request: &Request<'_>) -> Arc<Self> {
        let identity = Identity {
            method: METHODS.get(request.method),
            is_https: request.scheme == "https",
            protocol_version: request.protocol_version,
            route: request.route.map(Cow::Borrowed),
        };
        let route = request.route.unwrap_or_default();
        // A poisoned lock only costs the shortcut.
        if let Ok(kinds) = KINDS.read()
            && let Some(of_route) = kinds.get(route)
            && let Some(kind) = of_route.iter().find(|kind| kind.identity == identity)
        {
            return Arc::clone(kind);
        }
        let kind = Arc::new(Self::new(identity));
        if let Ok(mut kinds) = KINDS.write()
            && (kinds.len() < CAPACITY || kinds.contains_key(route))
        {
            let of_route = kinds.entry(route.into()).or_default();
            of_route.push(Arc::clone(&kind));
        }
        kind
    }

    fn new(identity: Identity<'_>) -> Self {
        let identity = Identity {
            route: identity.route.map(|route| Cow::Owned(route.into_owned())),
            ..identity
        };
        let method = identity.method.clone();
        let in_name = method.as_deref().unwrap_or("HTTP");
        let span_name = match &identity.route {
            Some(route) => format!("{in_name} {route}"),
            None => in_name.to_owned(),
        };
        let mut attributes = vec![
            KeyValue::new(
                attribute::HTTP_REQUEST_METHOD,
                method.unwrap_or(Cow::Borrowed(OTHER)),
            ),
            KeyValue::new(
                attribute::URL_SCHEME,
                if identity.is_https { "https" } else { "http" },
            ),
            KeyValue::new(
                attribute::NETWORK_PROTOCOL_VERSION,
                identity.protocol_version,
            ),
        ];
        attributes.extend(
            identity
                .route
                .as_deref()
                .map(|route| KeyValue::new(attribute::HTTP_ROUTE, Arc::<str>::from(route))),
        );
        Self {
            span_name: names::kept(span_name),
            method_is_known: identity.method.is_some(),
            active: INSTRUMENTS.active.bind(&attributes[..OF_ACTIVE]),
            attributes,
            identity,
            durations: RwLock::default(),
        }
    }

    pub(super) fn began(&self) {
        self.active.add(1);
    }

    /// `status` is None where no response was made, `error` where nothing failed.
    pub(super) fn ended(
        &self,
        took: Duration,
        status: Option<u16>,
        error: Option<Cow<'static, str>>,
    ) {
        self.active.add(-1);
        let seconds = took.as_secs_f64();
        if let (Some(status), None) = (status, &error) {
            self.duration(status).record(seconds);
            return;
        }
        let mut attributes = self.attributes_with(status);
        attributes.extend(error.map(|error| KeyValue::new(attribute::ERROR_TYPE, error)));
        INSTRUMENTS.duration.record(seconds, &attributes);
    }

    fn duration(&self, status: u16) -> Arc<Series<f64>> {
        let find = |known: &Vec<(u16, Arc<Series<f64>>)>| {
            let mut known = known.iter();
            known
                .find(|(known, _)| *known == status)
                .map(|(_, series)| Arc::clone(series))
        };
        if let Some(series) = self.durations.read().ok().and_then(|known| find(&known)) {
            return series;
        }
        let attributes = self.attributes_with(Some(status));
        let series = Arc::new(Series::new(&INSTRUMENTS.duration, attributes.into()));
        if let Ok(mut known) = self.durations.write() {
            known.push((status, Arc::clone(&series)));
        }
        series
    }

    fn attributes_with(&self, status: Option<u16>) -> Vec<KeyValue> {
        let mut attributes = self.attributes.clone();
        attributes.extend(
            status.map(|status| {
                KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status))
            }),
        );
        attributes
    }
}

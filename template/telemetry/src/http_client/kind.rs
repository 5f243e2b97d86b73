//! What requests of one kind have in common: their attributes and time series, found out once and not for each request.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, RwLock},
};

use http::{StatusCode, Version};
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};
use opentelemetry_semantic_conventions::{
    attribute::{
        ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, NETWORK_PROTOCOL_VERSION,
        SERVER_ADDRESS, SERVER_PORT, URL_TEMPLATE,
    },
    metric::HTTP_CLIENT_REQUEST_DURATION,
};

use super::Outgoing;
use crate::{
    methods::{KnownMethods, OTHER},
    series::Series,
};

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Kinds that are remembered. A service writes down whom it calls, and has fewer.
const CAPACITY: usize = 256;

/// All kinds that one client has seen.
#[derive(Debug)]
pub(super) struct Kinds {
    duration: Histogram<f64>,
    methods: KnownMethods,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_host: HashMap<Box<str>, Vec<Arc<Kind>>>,
    count: usize,
}

/// What tells kinds of one host apart.
#[derive(Debug, PartialEq)]
struct Identity {
    /// None of a method that is not known.
    method: Option<Cow<'static, str>>,
    port: Option<u16>,
    template: Option<&'static str>,
}

impl Kinds {
    pub(super) fn new(meter: &Meter, methods: KnownMethods) -> Self {
        let duration = meter
            .f64_histogram(HTTP_CLIENT_REQUEST_DURATION)
            .with_description("Duration of HTTP client requests.")
            .with_unit("s")
            .with_boundaries(BOUNDARIES.to_vec())
            .build();
        Self {
            duration,
            methods,
            known: RwLock::default(),
        }
    }

    pub(super) fn of(&self, request: &Outgoing<'_>) -> Arc<Kind> {
        let host = request.host;
        let identity = Identity {
            method: self.methods.get(request.method.as_str()),
            port: request.port,
            template: request.template,
        };
        // A poisoned lock only costs the shortcut.
        if let Ok(known) = self.known.read()
            && let Some(of_host) = known.by_host.get(host)
            && let Some(kind) = of_host.iter().find(|kind| kind.identity == identity)
        {
            return Arc::clone(kind);
        }
        let kind = Arc::new(Kind::new(identity, host, &self.duration));
        if let Ok(mut known) = self.known.write()
            && known.count < CAPACITY
        {
            known.count += 1;
            let of_host = known.by_host.entry(host.into()).or_default();
            of_host.push(Arc::clone(&kind));
        }
        kind
    }
}

/// Requests that metrics do not tell apart before they are answered.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) span_name: Cow<'static, str>,
    /// Of the span and of the metric.
    pub(super) attributes: Vec<KeyValue>,
    identity: Identity,
    duration: Histogram<f64>,
    answers: RwLock<Vec<Arc<Answer>>>,
    /// Who answered last, as text.
    peer: RwLock<Option<(IpAddr, Arc<str>)>>,
}

/// Responses of one status to requests of one kind.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    version: Version,
    /// What the response adds to those of the request.
    pub(super) attributes: Vec<KeyValue>,
    pub(super) duration: Series<f64>,
}

impl Kind {
    fn new(identity: Identity, host: &str, duration: &Histogram<f64>) -> Self {
        let method = identity.method.clone();
        let mut attributes = vec![
            KeyValue::new(
                HTTP_REQUEST_METHOD,
                method.clone().unwrap_or(Cow::Borrowed(OTHER)),
            ),
            KeyValue::new(SERVER_ADDRESS, Arc::<str>::from(host)),
        ];
        let port = identity.port.map(i64::from);
        attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, port)));
        let template = identity.template;
        attributes.extend(template.map(|template| KeyValue::new(URL_TEMPLATE, template)));
        let method = method.unwrap_or(Cow::Borrowed("HTTP"));
        Self {
            span_name: match template {
                Some(template) => format!("{method} {template}").into(),
                None => method,
            },
            attributes,
            identity,
            duration: duration.clone(),
            answers: RwLock::default(),
            peer: RwLock::default(),
        }
    }

    pub(super) fn method_is_known(&self) -> bool {
        self.identity.method.is_some()
    }

    pub(super) fn answer(&self, status: StatusCode, version: Version) -> Arc<Answer> {
        let is_same = |answer: &&Arc<Answer>| answer.status == status && answer.version == version;
        if let Ok(answers) = self.answers.read()
            && let Some(answer) = answers.iter().find(is_same)
        {
            return Arc::clone(answer);
        }
        let answer = Arc::new(self.new_answer(status, version));
        if let Ok(mut answers) = self.answers.write() {
            answers.push(Arc::clone(&answer));
        }
        answer
    }

    fn new_answer(&self, status: StatusCode, version: Version) -> Answer {
        let code = i64::from(status.as_u16());
        let mut attributes = vec![KeyValue::new(HTTP_RESPONSE_STATUS_CODE, code)];
        let version_text = protocol_version(version);
        attributes.extend(version_text.map(|text| KeyValue::new(NETWORK_PROTOCOL_VERSION, text)));
        if is_error(status) {
            attributes.push(KeyValue::new(ERROR_TYPE, status.as_str().to_owned()));
        }
        let all = [&*self.attributes, &*attributes].concat();
        Answer {
            status,
            version,
            attributes,
            duration: Series::new(&self.duration, all.into()),
        }
    }

    /// No response came: because of an error of this class, or since nobody waited for one.
    pub(super) fn unanswered(&self, seconds: f64, error: Option<&'static str>) {
        let mut attributes = self.attributes.clone();
        attributes.extend(error.map(|class| KeyValue::new(ERROR_TYPE, class)));
        self.duration.record(seconds, &attributes);
    }

    /// `network.peer.address`, which is mostly the same.
    pub(super) fn peer(&self, address: IpAddr) -> Arc<str> {
        if let Ok(peer) = self.peer.read()
            && let Some((known, text)) = &*peer
            && *known == address
        {
            return Arc::clone(text);
        }
        let text: Arc<str> = address.to_string().into();
        if let Ok(mut peer) = self.peer.write() {
            *peer = Some((address, Arc::clone(&text)));
        }
        text
    }
}

impl Answer {
    pub(super) fn is_error(&self) -> bool {
        is_error(self.status)
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>
fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
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

#[cfg(test)]
mod tests {
    use http::Method;
    use opentelemetry::global;

    use super::*;

    #[test]
    fn remembers_a_bounded_number_of_kinds() {
        let kinds = Kinds::new(&global::meter("test"), KnownMethods::from_list(""));
        let of = |host: &str, port| {
            kinds.of(&Outgoing {
                method: &Method::GET,
                host,
                port: Some(port),
                template: None,
                resend_count: super::super::ResendCount(0),
            })
        };
        for port in 0..1000 {
            of("localhost", port);
            of(&format!("{port}.example.com"), port);
        }
        let known = kinds.known.read().expect("not poisoned");
        assert_eq!(known.by_host.values().flatten().count(), CAPACITY);
        drop(known);
        assert!(Arc::ptr_eq(&of("localhost", 1), &of("localhost", 1)));
        assert!(!Arc::ptr_eq(&of("localhost", 1), &of("localhost", 2)));
    }
}

//! What calls of one method have in common: their name, attributes and time series, found out once and not for each call.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock, RwLock},
};

use opentelemetry::{KeyValue, global, metrics::Histogram};
use opentelemetry_semantic_conventions::{
    attribute::{ERROR_TYPE, RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME},
    metric::{RPC_CLIENT_CALL_DURATION, RPC_SERVER_CALL_DURATION},
};
use tonic::Code;

use super::{SCOPE, name};
use crate::{methods::OTHER, names, series::Series};

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/>.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Methods of a callee that are remembered. Generated code names them, and has fewer.
const CAPACITY: usize = 256;

// Taken at the first call, so after `init` has set the provider.
static SERVED: LazyLock<Histogram<f64>> =
    LazyLock::new(|| histogram(RPC_SERVER_CALL_DURATION, "Duration of gRPC calls served."));
static MADE: LazyLock<Histogram<f64>> =
    LazyLock::new(|| histogram(RPC_CLIENT_CALL_DURATION, "Duration of gRPC calls made."));

fn histogram(name: &'static str, description: &'static str) -> Histogram<f64> {
    global::meter(SCOPE)
        .f64_histogram(name)
        .with_description(description)
        .with_unit("s")
        .with_boundaries(BOUNDARIES.to_vec())
        .build()
}

/// On which side of the call this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    fn duration(self) -> &'static Histogram<f64> {
        match self {
            Self::Server => &SERVED,
            Self::Client => &MADE,
        }
    }

    /// To a client anything but success is an error. To a server only what is its own fault: a caller who asks for what is
    /// not there was served well.
    pub(super) fn is_error(self, code: Code) -> bool {
        match self {
            Self::Client => code != Code::Ok,
            Self::Server => matches!(
                code,
                Code::Unknown
                    | Code::DeadlineExceeded
                    | Code::Unimplemented
                    | Code::Internal
                    | Code::Unavailable
                    | Code::DataLoss
            ),
        }
    }
}

/// Calls that metrics do not tell apart before they end.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) side: Side,
    /// Without a method the span is called like the system: <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/#span-name>.
    pub(super) span_name: Cow<'static, str>,
    /// Of the span and the metric.
    pub(super) attributes: Vec<KeyValue>,
    /// Of the span, once there is an answer: who gave it.
    pub(super) peer: Vec<KeyValue>,
    /// How long it took where all went well.
    succeeded: Series<f64>,
}

impl Method {
    /// `name` is `rpc.method`; none for what nobody offers. `others` are attributes of the callee.
    fn new(
        side: Side,
        name: Option<Cow<'static, str>>,
        others: &[KeyValue],
        peer: &[KeyValue],
    ) -> Self {
        let method: Arc<str> = name.as_deref().unwrap_or(OTHER).into();
        let mut attributes = vec![
            KeyValue::new(RPC_SYSTEM_NAME, "grpc"),
            KeyValue::new(RPC_METHOD, method),
        ];
        attributes.extend_from_slice(others);
        let of_success = attributes.iter().cloned().chain([outcome(Code::Ok)]);
        Self {
            side,
            span_name: name.unwrap_or(Cow::Borrowed("grpc")),
            succeeded: Series::new(side.duration(), of_success.collect()),
            attributes,
            peer: peer.to_vec(),
        }
    }

    /// `error` is why the call failed, if it did.
    pub(super) fn ended(&self, seconds: f64, code: Code, error: Option<&'static str>) {
        if code == Code::Ok && error.is_none() {
            self.succeeded.record(seconds);
            return;
        }
        let mut attributes = self.attributes.clone();
        attributes.push(outcome(code));
        attributes.extend(error.map(|error| KeyValue::new(ERROR_TYPE, error)));
        self.side.duration().record(seconds, &attributes);
    }
}

pub(super) fn outcome(code: Code) -> KeyValue {
    KeyValue::new(RPC_RESPONSE_STATUS_CODE, name(code))
}

/// The methods that a server has.
#[derive(Debug)]
pub(super) struct Served {
    names: &'static [&'static str],
    /// In the order of their names, and last what stands for all others.
    methods: OnceLock<Vec<Arc<Method>>>,
}

impl Served {
    pub(super) fn new(names: &'static [&'static str]) -> Self {
        Self {
            names,
            methods: OnceLock::new(),
        }
    }

    /// The method of this name, and whether there is one.
    pub(super) fn get(&self, name: &str) -> (Arc<Method>, bool) {
        let methods = self.methods.get_or_init(|| {
            let names = self.names.iter().map(|&name| Some(name.into()));
            let method = |name| Arc::new(Method::new(Side::Server, name, &[], &[]));
            names.chain([None]).map(method).collect()
        });
        let found = self.names.iter().position(|known| *known == name);
        let at = found.unwrap_or(self.names.len());
        (Arc::clone(&methods[at]), found.is_some())
    }
}

/// The methods that a callee was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    attributes: Vec<KeyValue>,
    peer: Vec<KeyValue>,
    by_path: RwLock<HashMap<Box<str>, Arc<Method>>>,
}

impl Asked {
    /// Of a callee with these attributes; `peer` are those of who answers for it.
    pub(super) fn new(attributes: Vec<KeyValue>, peer: Vec<KeyValue>) -> Self {
        Self {
            attributes,
            peer,
            by_path: RwLock::default(),
        }
    }

    pub(super) fn get(&self, path: &str) -> Arc<Method> {
        // A poisoned lock only costs the shortcut.
        if let Ok(known) = self.by_path.read()
            && let Some(method) = known.get(path)
        {
            return Arc::clone(method);
        }
        // By our own code, so it is one of few.
        let name = names::kept(path.trim_start_matches('/').to_owned());
        let method = Method::new(Side::Client, Some(name), &self.attributes, &self.peer);
        let method = Arc::new(method);
        if let Ok(mut known) = self.by_path.write()
            && known.len() < CAPACITY
        {
            known.insert(path.into(), Arc::clone(&method));
        }
        method
    }
}

//! What a job carries of the context it was pushed in, and how its attempts come back to it.

use std::{collections::HashMap, env};

use opentelemetry::{
    Context, KeyValue,
    baggage::{Baggage, BaggageExt as _},
    global,
    propagation::{Extractor, Injector},
};

use crate::session::{SESSION_HEADER, SessionId};

/// Keys of baggage that travel with a job. Baggage comes from whoever called, so none does unless it is listed.
#[derive(Debug, Default)]
pub(super) struct BaggageKeys(Vec<String>);

impl BaggageKeys {
    /// Those in `TELEMETRY_JOBS_BAGGAGE`, separated by commas; without it there are none.
    pub(super) fn from_env() -> Self {
        Self::from_list(&env::var("TELEMETRY_JOBS_BAGGAGE").unwrap_or_default())
    }

    pub(super) fn from_list(list: &str) -> Self {
        let keys = list.split(',').map(str::trim);
        Self(
            keys.filter(|key| !key.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    fn of(&self, context: &Context) -> Baggage {
        let all = context.baggage().iter();
        let listed = all.filter(|(key, _)| self.0.iter().any(|known| known == key.as_str()));
        listed
            .map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone()))
            .collect()
    }
}

/// The headers of a job that is pushed in `context`.
pub(super) fn inject(context: &Context, keys: &BaggageKeys) -> HashMap<String, String> {
    let stripped = !context.baggage().is_empty();
    let stripped = stripped.then(|| context.with_baggage(keys.of(context)));
    let mut headers = Headers(HashMap::new());
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(stripped.as_ref().unwrap_or(context), &mut headers);
    });
    let Headers(mut headers) = headers;
    // By a header of its own, as over HTTP: a session that only baggage tells of is anyone's claim.
    if let Some(session) = context.get::<SessionId>() {
        headers.insert(SESSION_HEADER.to_owned(), session.as_str().to_owned());
    }
    headers
}

/// The context that a job was pushed in: its PRODUCER span, session and baggage.
pub(super) fn extract(headers: &HashMap<String, String>) -> Context {
    let headers = Headers(headers);
    let context = global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &headers)
    });
    match headers.get(SESSION_HEADER).and_then(SessionId::parse) {
        Some(session) => context.with_value(session),
        None => context,
    }
}

/// Headers of a job as propagators know them. Names are in lower case.
struct Headers<M>(M);

impl Injector for Headers<HashMap<String, String>> {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }
}

impl Extractor for Headers<&HashMap<String, String>> {
    /// There are a few: to look at all takes less time than to hash a name.
    fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// `context` without its span, for a trace that begins anew. An empty span in it would not do: samplers take one for a
/// parent that was not sampled.
pub(super) fn without_span(context: &Context) -> Context {
    let baggage = context.baggage().iter();
    let baggage: Baggage = baggage
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect();
    let anew = Context::new().with_baggage(baggage);
    match context.get::<SessionId>() {
        Some(session) => anew.with_value(session.clone()),
        None => anew,
    }
}

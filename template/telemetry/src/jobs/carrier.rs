//! What a job carries of the context it was pushed in, and how its attempts come back to it.

use std::{collections::HashMap, env};

use opentelemetry::{
    Context, KeyValue,
    baggage::{Baggage, BaggageExt as _},
    global,
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
    let mut headers = HashMap::new();
    let travelling = context.with_baggage(keys.of(context));
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&travelling, &mut headers);
    });
    // By a header of its own, as over HTTP: a session that only baggage tells of is anyone's claim.
    if let Some(session) = context.get::<SessionId>() {
        headers.insert(SESSION_HEADER.to_owned(), session.as_str().to_owned());
    }
    headers
}

/// The context that a job was pushed in: its PRODUCER span, session and baggage.
pub(super) fn extract(headers: &HashMap<String, String>) -> Context {
    let context = global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), headers)
    });
    let session = headers.get(SESSION_HEADER);
    match session.and_then(|id| SessionId::parse(id)) {
        Some(session) => context.with_value(session),
        None => context,
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

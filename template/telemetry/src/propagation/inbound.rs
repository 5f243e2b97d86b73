//! What servers take over from who calls them.

use std::sync::OnceLock;

use opentelemetry::{
    Context,
    baggage::{Baggage, BaggageExt as _},
    global,
    propagation::Extractor,
    trace::{Link, TraceContextExt as _},
};
use opentelemetry_semantic_conventions::attribute;

use crate::session::{SESSION_HEADER, SessionId};

/// Whether callers are of the house: `TELEMETRY_INBOUND_CONTEXT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InboundContext {
    /// They are: their traces go on here, and their baggage is carried on.
    Continue,
    /// Anyone calls: each request begins a trace of its own, which is only linked to the caller's. Who could choose the
    /// trace could also fill it up, have everything sampled, or read what else is in it:
    /// <https://www.w3.org/TR/trace-context-2/#security-considerations>.
    Link,
}

static INBOUND: OnceLock<InboundContext> = OnceLock::new();

impl InboundContext {
    /// Holds from now on. Only the first call counts.
    pub(crate) fn apply(self) {
        INBOUND.get_or_init(|| self);
    }
}

/// Who sent a request, as its server span knows him.
pub(crate) struct Caller {
    /// With the session that the request's header names, and the baggage that is carried on.
    pub(crate) parent: Context,
    pub(crate) links: Vec<Link>,
}

impl Caller {
    pub(crate) fn of(headers: &dyn Extractor) -> Self {
        let inbound = INBOUND.get().copied();
        Self::by(inbound.unwrap_or(InboundContext::Continue), headers)
    }

    /// As [`Self::of`], by this rule.
    pub(crate) fn by(rule: InboundContext, headers: &dyn Extractor) -> Self {
        let sent = global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), headers)
        });
        let (parent, links) = match rule {
            InboundContext::Continue => (sent, Vec::new()),
            InboundContext::Link => {
                let span = sent.span().span_context().clone();
                let link = span.is_valid().then(|| Link::with_context(span));
                (Context::new(), link.into_iter().collect())
            }
        };
        let parent = with_session(&parent, headers);
        Self { parent, links }
    }
}

/// `context` with the session that the headers name: in the baggage too, for jobs and trusted hosts, and before all that
/// may fill it up. What the caller's baggage says of a session is not believed.
fn with_session(context: &Context, headers: &dyn Extractor) -> Context {
    let session = headers.get(SESSION_HEADER).and_then(SessionId::parse);
    if session.is_none() && context.baggage().is_empty() {
        return context.clone();
    }
    let mut baggage = Baggage::new();
    if let Some(session) = &session {
        baggage.insert(attribute::SESSION_ID, session.as_str().to_owned());
    }
    for (key, (value, metadata)) in context.baggage() {
        if key.as_str() != attribute::SESSION_ID {
            baggage.insert_with_metadata(key.clone(), value.clone(), metadata.clone());
        }
    }
    let context = context.with_baggage(baggage);
    match session {
        Some(session) => context.with_value(session),
        None => context,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing::Trace;

    /// What a caller inside `trace` sends.
    fn headers(trace: &Trace, others: &[(&str, &str)]) -> HashMap<String, String> {
        let all = [("traceparent", &*trace.traceparent())];
        let all = all.iter().chain(others);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// The baggage that is carried on, as `key=value` in order.
    fn baggage(caller: &Caller) -> Vec<String> {
        let baggage = caller.parent.baggage().iter();
        let mut baggage: Vec<_> = baggage.map(|(k, (v, _))| format!("{k}={v}")).collect();
        baggage.sort();
        baggage
    }

    #[test]
    fn a_caller_of_the_house_is_continued() {
        let trace = Trace::new();
        let sent = [
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=t-1,session.id=forged"),
            ("x-session-id", "s-1"),
        ];
        let caller = Caller::by(InboundContext::Continue, &headers(&trace, &sent));
        let span = caller.parent.span();
        assert_eq!(span.span_context().trace_id().to_string(), trace.id());
        assert_eq!(span.span_context().trace_state().header(), "vendor=1");
        assert!(span.span_context().is_remote());
        assert!(caller.links.is_empty());
        assert_eq!(baggage(&caller), ["session.id=s-1", "tenant=t-1"]);
        assert!(caller.parent.get::<SessionId>().is_some());
    }

    #[test]
    fn anyone_else_is_linked_and_only_a_session_is_taken_over() {
        let trace = Trace::new();
        let sent = [
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=t-1,session.id=forged"),
            ("x-session-id", "s-1"),
        ];
        let caller = Caller::by(InboundContext::Link, &headers(&trace, &sent));
        assert!(!caller.parent.has_active_span());
        assert_eq!(caller.links.len(), 1);
        let link = &caller.links[0].span_context;
        assert_eq!(link.trace_id().to_string(), trace.id());
        assert_eq!(baggage(&caller), ["session.id=s-1"]);
    }

    #[test]
    fn a_caller_without_a_trace_is_nobody_to_link_to() {
        for traceparent in ["", "00-no-trace-at-all"] {
            let headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
            for rule in [InboundContext::Continue, InboundContext::Link] {
                let caller = Caller::by(rule, &headers);
                assert!(!caller.parent.has_active_span());
                assert!(caller.links.is_empty());
            }
        }
    }

    #[test]
    fn a_session_is_kept_however_full_the_baggage_is() {
        let full: Vec<_> = (0..64).map(|nth| format!("k{nth}=v")).collect();
        let (trace, full) = (Trace::new(), full.join(","));
        let sent = [("baggage", &*full), ("x-session-id", "s-1")];
        let caller = Caller::by(InboundContext::Continue, &headers(&trace, &sent));
        assert!(baggage(&caller).contains(&"session.id=s-1".to_owned()));
        assert_eq!(baggage(&caller).len(), 64);
    }
}

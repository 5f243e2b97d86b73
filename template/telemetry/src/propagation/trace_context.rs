//! W3C Trace Context, level 2: <https://www.w3.org/TR/trace-context-2/>.

use std::sync::LazyLock;

use opentelemetry::{
    Context, TraceId,
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{TraceContextExt as _, TraceState},
};

use super::{
    trace_parent::{TRACEPARENT, TraceParent},
    trace_state::{Members, TRACESTATE},
};

static FIELDS: LazyLock<[String; 2]> =
    LazyLock::new(|| [TRACEPARENT.to_owned(), TRACESTATE.to_owned()]);

/// Propagates the current span by `traceparent` and `tracestate`.
#[derive(Debug)]
pub(super) struct TraceContext;

/// What the caller's headers said and a span of the SDK cannot have.
#[derive(Debug)]
struct Received {
    trace_id: TraceId,
    /// A span that is not sampled loses its flags.
    is_random: bool,
    /// The span's state, and the header that says more.
    state: Option<(TraceState, String)>,
}

impl Received {
    /// That of the trace `context` is in. It may have left the caller's.
    fn of(context: &Context) -> Option<&Self> {
        let trace_id = context.span().span_context().trace_id();
        let received = context.get::<Self>();
        received.filter(|received| received.trace_id == trace_id)
    }
}

/// The current span, as others are told.
pub(super) fn of(context: &Context) -> TraceParent {
    let parent = TraceParent::of(context.span().span_context());
    match Received::of(context) {
        // As long as the trace is the same, so is this flag:
        // <https://www.w3.org/TR/trace-context-2/#random-trace-id-flag>.
        Some(received) => parent.random(received.is_random),
        None if context.span().span_context().is_remote() => parent,
        // The trace began here, and all of an id that the SDK makes is random.
        None => parent.random(true),
    }
}

/// The state to send, unless a sampler has changed the span's.
fn state(context: &Context) -> String {
    let span = context.span();
    let of_span = span.span_context().trace_state();
    match Received::of(context).and_then(|received| received.state.as_ref()) {
        Some((held, header)) if held == of_span => header.clone(),
        _ => of_span.header(),
    }
}

impl TextMapPropagator for TraceContext {
    fn inject_context(&self, context: &Context, headers: &mut dyn Injector) {
        if !context.span().span_context().is_valid() {
            return;
        }
        headers.set(TRACEPARENT, of(context).header());
        let state = state(context);
        // An empty header is better not sent: <https://www.w3.org/TR/trace-context-2/#tracestate-header-field-values>.
        if !state.is_empty() {
            headers.set(TRACESTATE, state);
        }
    }

    fn extract_with_context(&self, context: &Context, headers: &dyn Extractor) -> Context {
        let parent = headers.get_all(TRACEPARENT).unwrap_or_default();
        let Some(parent) = TraceParent::parse(&parent) else {
            return context.clone();
        };
        let members = headers.get_all(TRACESTATE).unwrap_or_default();
        let (held, more) = Members::parse(&members).unwrap_or_default().held();
        let state = more.map(|header| (held.clone(), header));
        let context = context.with_remote_span_context(parent.span(held));
        if parent.is_random() && state.is_none() {
            return context; // as a trace that begins here, so there is nothing to keep
        }
        context.with_value(Received {
            trace_id: parent.trace_id,
            is_random: parent.is_random(),
            state,
        })
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&*FIELDS)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use http::{HeaderMap, HeaderName, HeaderValue};
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

    use super::{super::headers::Carrier, *};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// A request's headers, `name: value | name: value`, where `T` stands for a trace with a caller's span.
    fn headers(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for header in text.split(" | ").filter(|header| !header.is_empty()) {
            let (name, value) = header.split_once(": ").expect("a header");
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let value = value.replace('T', &format!("{TRACE}-00f067aa0ba902b7"));
            headers.append(name, HeaderValue::try_from(value).expect("a value"));
        }
        headers
    }

    /// What a service that gets these headers sends on: whether it is in the caller's trace, its flags, its state.
    fn sent_on(sampler: Sampler, received: &str) -> (bool, String, String) {
        let context = TraceContext.extract(&Carrier(&headers(received)));
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let tracer = provider.tracer("test");
        let span = tracer.start_with_context("work", &context);
        let mut sent = HashMap::new();
        TraceContext.inject_context(&context.with_span(span), &mut sent);
        let parent = &sent["traceparent"];
        assert_eq!(parent.len(), 55, "{parent}");
        assert!(!parent.contains("00f067aa0ba902b7"), "the span is another");
        let (same, flags) = (parent[3..35] == *TRACE, parent[53..].to_owned());
        let state = sent.remove("tracestate");
        assert_ne!(state.as_deref(), Some(""), "better not sent");
        (same, flags, state.unwrap_or_default())
    }

    fn by_parent() -> Sampler {
        Sampler::ParentBased(Box::new(Sampler::AlwaysOn))
    }

    #[test]
    fn a_trace_goes_on_with_its_state() {
        for (received, state) in [
            ("traceparent: 00-T-01", ""),
            ("TraceParent: 00-T-01 | TRACESTATE: b=1,a=2", "b=1,a=2"),
            ("traceparent: 00-T-01 | tracestate: ", ""),
            (
                "tracestate: b=1 | TRACEPARENT: 00-T-01 | tracestate: a=2",
                "b=1,a=2",
            ),
            // A later version's state is read as ours.
            ("traceparent: cc-T-01-x | tracestate: a=1", "a=1"),
            // What is broken does not take the trace along.
            ("traceparent: 00-T-01 | tracestate: A=1", ""),
            ("traceparent: 00-T-01 | tracestate: a=1 | tracestate: b", ""),
            // Other names are nothing to us.
            ("traceparent: 00-T-01 | trace-state: a=1", ""),
            ("traceparent: 00-T-01 | trace-parent: 00-T-01", ""),
            // Keys that the SDK refuses.
            ("traceparent: 00-T-01 | tracestate: b@@=1,a=2", "b@@=1,a=2"),
        ] {
            let expected = (true, "01".to_owned(), state.to_owned());
            assert_eq!(sent_on(by_parent(), received), expected, "{received}");
        }
    }

    #[test]
    fn the_decision_to_sample_is_ours_and_the_random_flag_the_trace_s() {
        for (flags, if_always, if_never, if_by_parent) in [
            ("00", "01", "00", "00"),
            ("01", "01", "00", "01"),
            ("02", "03", "02", "02"),
            ("03", "03", "02", "03"),
            ("fd", "01", "00", "01"),
        ] {
            for state in ["b=1,a=2", "b@@=1,a=2"] {
                let received = format!("traceparent: 00-T-{flags} | tracestate: {state}");
                for (sampler, expected) in [
                    (Sampler::AlwaysOn, if_always),
                    (Sampler::AlwaysOff, if_never),
                    (by_parent(), if_by_parent),
                ] {
                    let expected = (true, expected.to_owned(), state.to_owned());
                    assert_eq!(sent_on(sampler, &received), expected, "{received}");
                }
            }
        }
    }

    #[test]
    fn without_a_valid_parent_nothing_is_taken_over() {
        for received in [
            "",
            "tracestate: a=1",
            "trace-parent: 00-T-01 | tracestate: a=1",
            "trace.parent: 00-T-01 | tracestate: a=1",
            "traceparent: 00-T-01 | traceparent: 00-T-01 | tracestate: a=1",
            "traceparent: 00-T-01, 00-T-01 | tracestate: a=1",
            "traceparent: ff-T-03 | tracestate: a=1",
        ] {
            for (sampler, flags) in [(by_parent(), "03"), (Sampler::AlwaysOff, "02")] {
                let expected = (false, flags.to_owned(), String::new());
                assert_eq!(sent_on(sampler, received), expected, "{received}");
            }
        }
    }

    #[test]
    fn another_trace_below_the_same_context_has_nothing_of_the_caller_s() {
        let received = headers("traceparent: 00-T-01 | tracestate: b@@=1");
        let context = TraceContext.extract(&Carrier(&received));
        let span = SdkTracerProvider::default().tracer("test").start("anew");
        let mut sent = HashMap::new();
        TraceContext.inject_context(&context.with_span(span), &mut sent);
        assert!(sent["traceparent"].ends_with("-03"), "{sent:?}");
        assert_eq!(sent.len(), 1, "{sent:?}");
    }

    #[test]
    fn without_a_span_nothing_is_sent() {
        let mut sent = HashMap::new();
        TraceContext.inject_context(&Context::new(), &mut sent);
        assert_eq!(sent.len(), 0, "{sent:?}");
    }
}

//! Spans by hand, where `#[tracing::instrument]` does not fit.

use std::{borrow::Cow, sync::LazyLock};

use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedTracer},
    trace::{FutureExt as _, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::Tracer;

use crate::guard;

/// A tracer for code that makes its own spans through the OpenTelemetry API; `name` is the instrumentation scope.
#[must_use]
pub fn tracer(name: &'static str) -> BoxedTracer {
    global::tracer(name)
}

/// Runs `future` in a span of its own. Errors inside are recorded with [`crate::ResultExt::record_err`].
///
/// ```
/// # async fn f() {
/// use opentelemetry::KeyValue;
/// let total = telemetry::traced("cart.total", [KeyValue::new("cart.items", 3)], async { 42 }).await;
/// # }
/// ```
pub async fn traced<F: Future>(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
    future: F,
) -> F::Output {
    future.with_context(span(name.into(), attributes)).await
}

/// [`traced`] for work that does not await.
pub fn traced_blocking<T>(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
    work: impl FnOnce() -> T,
) -> T {
    let _entered = span(name.into(), attributes).attach();
    work()
}

// Taken at the first span, so after `init` has set the provider.
static TRACER: LazyLock<Option<Tracer>> = LazyLock::new(|| guard::tracer("telemetry.traced"));

fn span(name: Cow<'static, str>, attributes: impl IntoIterator<Item = KeyValue>) -> Context {
    let parent = Context::current();
    if !guard::enabled() {
        return parent;
    }
    let Some(tracer) = &*TRACER else {
        return parent;
    };
    let builder = tracer.span_builder(name).with_attributes(attributes);
    parent.with_span(tracer.build_with_context(builder, &parent))
}

/// The id of the trace that the current work belongs to, as 32 hexadecimal digits. `None` outside a trace.
#[must_use]
pub fn current_trace_id() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| span.trace_id().to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Trace, attribute};

    #[tokio::test]
    async fn spans_by_hand_nest_with_those_of_tracing() {
        let trace = Trace::new();
        let work = async {
            let inner = traced_blocking("inner", [KeyValue::new("n", 1)], || {
                tracing::info_span!("innermost").in_scope(current_trace_id)
            });
            assert_eq!(inner, Some(trace.id()));
        };
        traced("outer", [], work)
            .with_context(trace.context())
            .await;

        assert_eq!(
            trace.tree().await,
            "INTERNAL outer\n  INTERNAL inner\n    INTERNAL innermost\n"
        );
        let inner = trace.span("inner").await;
        assert_eq!(attribute(&inner, "n").as_deref(), Some("1"));
    }

    #[test]
    fn outside_a_trace_there_is_no_id() {
        assert_eq!(current_trace_id(), None);
    }
}

//! Errors and panics on record: once each, on the span they happened in.
//!
//! <https://opentelemetry.io/docs/specs/semconv/general/recording-errors/>

pub(crate) mod said;

use std::{any, backtrace, cell::Cell, error::Error, fmt::Write as _, panic, sync::OnceLock};

use opentelemetry::{
    Context, KeyValue, SpanId,
    trace::{Status, TraceContextExt as _},
};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE,
};
use tracing::Level;

use crate::settings::ExceptionSignal;
use said::Said;

/// The target of an exception's log line when the span already carries it: shown on the console, not exported twice.
pub(crate) const SPAN_EVENT_TARGET: &str = "telemetry::exception::on_span";

thread_local! {
    /// The span that the last panic of this thread is on record on.
    static PANICKED: Cell<SpanId> = const { Cell::new(SpanId::INVALID) };
}

static SIGNAL: OnceLock<ExceptionSignal> = OnceLock::new();

/// Records `error` on the current span: type, message and causes as an exception, status Error, and `error.type`.
///
/// For errors that end an operation, where they happen. What a handler returns to its caller is recorded by the
/// error's response, unless it is [`Recorded`] already.
///
/// The words are the error's own, except where those of a database would quote values: then its code and class stand there.
pub fn record_exception<E: Error + 'static>(error: &E) {
    let exception_type = any::type_name::<E>();
    let said = Said::of(error);
    Context::map_current(|context| {
        let span = context.span();
        span.set_attribute(KeyValue::new(ERROR_TYPE, exception_type));
        span.set_status(Status::error(said.message.clone()));
    });
    emit(exception_type, &said.message, causes(&said));
}

/// Records `error` as an exception only: for spans whose status and `error.type` their owner sets, such as the server's,
/// which takes them from the response. `exception_type` is the error's type, which `dyn Error` has forgotten.
pub fn report_exception(exception_type: &'static str, error: &(dyn Error + 'static)) {
    let said = Said::of(error);
    emit(exception_type, &said.message, causes(&said));
}

/// An error that is on record: whoever meets it next need not record it again.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Recorded<E: Error + 'static>(pub E);

/// Recording the error of a `Result` in passing.
pub trait ResultExt<T, E: Error> {
    /// [`record_exception`] of the error, if there is one; the type then says that it is on record.
    ///
    /// # Errors
    /// The error it was called on.
    fn record_err(self) -> Result<T, Recorded<E>>;
}

impl<T, E: Error + 'static> ResultExt<T, E> for Result<T, E> {
    fn record_err(self) -> Result<T, Recorded<E>> {
        self.map_err(|error| {
            record_exception(&error);
            Recorded(error)
        })
    }
}

fn emit(exception_type: &'static str, message: &str, stacktrace: Option<String>) {
    let signal = SIGNAL.get().copied().unwrap_or(ExceptionSignal::SpanEvents);
    let on_span = signal.as_span_events()
        && Context::map_current(|context| {
            let span = context.span();
            if !span.is_recording() {
                return false;
            }
            let mut attributes = vec![
                KeyValue::new(EXCEPTION_TYPE, exception_type),
                KeyValue::new(EXCEPTION_MESSAGE, message.to_owned()),
            ];
            attributes.extend(
                stacktrace
                    .clone()
                    .map(|text| KeyValue::new(EXCEPTION_STACKTRACE, text)),
            );
            span.add_event("exception", attributes);
            true
        });
    let stacktrace = stacktrace.as_deref();
    if on_span && !signal.as_logs() {
        tracing::event!(
            name: "exception",
            target: SPAN_EVENT_TARGET,
            Level::ERROR,
            { exception.type = exception_type, exception.message = message, exception.stacktrace = stacktrace }
        );
    } else {
        tracing::event!(
            name: "exception",
            target: "telemetry::exception",
            Level::ERROR,
            { exception.type = exception_type, exception.message = message, exception.stacktrace = stacktrace }
        );
    }
}

/// The causes below an error, one a line, and a backtrace where `RUST_BACKTRACE` asks for one.
fn causes(said: &Said) -> Option<String> {
    let mut text = String::new();
    for cause in &said.causes {
        let _ = writeln!(text, "caused by: {cause}");
    }
    with_backtrace(text)
}

fn with_backtrace(mut text: String) -> Option<String> {
    let backtrace = backtrace::Backtrace::capture();
    if backtrace.status() == backtrace::BacktraceStatus::Captured {
        let _ = write!(text, "{backtrace}");
    }
    (!text.is_empty()).then_some(text)
}

/// How exceptions are sent from now on. Only the first call counts.
pub(crate) fn use_signal(signal: ExceptionSignal) {
    said::know("json", said::json);
    SIGNAL.get_or_init(|| signal);
}

/// Whether a panic has marked `span` as failed already: the SDK would keep a second `error.type` beside the first. Asked
/// where a panic's response passes by, which is in the same poll, so on the same thread.
pub(crate) fn is_marked_by_panic(span: SpanId) -> bool {
    PANICKED.get() == span
}

/// Panics become exceptions of type `panic`, in the trace they happened in, instead of bare lines on stderr.
pub(crate) fn install_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        let message = panic
            .payload_as_str()
            .unwrap_or("a panic without a message");
        let place = panic
            .location()
            .map(|place| format!("at {place}\n"))
            .unwrap_or_default();
        Context::map_current(|context| {
            let span = context.span();
            span.set_attribute(KeyValue::new(ERROR_TYPE, "panic"));
            span.set_status(Status::error("panic"));
            PANICKED.set(span.span_context().span_id());
        });
        emit("panic", message, with_backtrace(place));
    }));
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::testing::{Trace, attribute};

    #[derive(Debug, thiserror::Error)]
    #[error("the file is not usable")]
    struct Unusable(#[source] io::Error);

    #[tokio::test]
    async fn an_error_is_recorded_with_its_type_and_causes() {
        let trace = Trace::new();
        let work = || Err::<(), _>(Unusable(io::Error::other("disk on fire"))).record_err();
        let entered = trace.context().attach();
        assert!(crate::traced_blocking("work", [], work).is_err());
        drop(entered);

        let type_name = any::type_name::<Unusable>();
        assert_eq!(
            trace.tree().await,
            format!("INTERNAL work ERROR {type_name}\n")
        );
        let span = &trace.spans()[0];
        assert_eq!(span.status, Status::error("the file is not usable"));
        assert_eq!(attribute(span, ERROR_TYPE).as_deref(), Some(type_name));
        let event = &span.events[0];
        assert_eq!((event.name.as_ref(), span.events.len()), ("exception", 1));
        let of = |key: &str| {
            let mut found = event
                .attributes
                .iter()
                .filter(|known| known.key.as_str() == key);
            found
                .next()
                .map(|known| known.value.to_string())
                .unwrap_or_default()
        };
        assert_eq!(of(EXCEPTION_TYPE), type_name);
        assert_eq!(of(EXCEPTION_MESSAGE), "the file is not usable");
        assert!(of(EXCEPTION_STACKTRACE).starts_with("caused by: disk on fire\n"));
    }

    #[tokio::test]
    async fn success_leaves_nothing() {
        let trace = Trace::new();
        let entered = trace.context().attach();
        let work = || Ok::<_, io::Error>(1).record_err();
        assert!(crate::traced_blocking("work", [], work).is_ok());
        drop(entered);
        assert_eq!(trace.tree().await, "INTERNAL work\n");
        assert_eq!(trace.spans()[0].status, Status::Unset);
    }
}

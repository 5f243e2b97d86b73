//! How much of a batch the collector rejected, where it took the rest: `opentelemetry-otlp` tells nobody but its log.
//! <https://opentelemetry.io/docs/specs/otlp/#partial-success>

use std::{cell::Cell, fmt};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::subscriber::Events;

/// Longer than any reason that a person would write.
const REASON: usize = 200;

thread_local! {
    /// What the export that runs on this thread heard. An answer is read where its export is waited for.
    static REJECTED: Cell<Option<(u64, String)>> = const { Cell::new(None) };
}

/// How much was rejected on this thread since this was asked last, and why.
pub(crate) fn take() -> Option<(u64, String)> {
    REJECTED.take()
}

/// Notes on the thread of an export what its answer says.
pub(crate) fn note(count: i64, reason: &str) {
    let count = u64::try_from(count).unwrap_or_default();
    REJECTED.set(Some((count, reason.chars().take(REASON).collect())));
}

/// Hears what the exporters say of it, whatever else is logged.
pub(crate) fn layer<S: Subscriber>() -> impl Layer<S> {
    Events {
        layer: Listener,
        wants: is_said_by,
    }
}

/// Whether this is the event by which they say it.
pub(crate) fn is_said_by(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "opentelemetry-otlp" && metadata.name().ends_with("PartialSuccess")
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut heard = Heard::default();
        event.record(&mut heard);
        note(heard.count, &heard.reason);
    }
}

#[derive(Default)]
struct Heard {
    count: i64,
    reason: String,
}

impl Visit for Heard {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name().starts_with("rejected_") {
            self.count = value;
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "error_message" {
            self.reason = value.to_owned();
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

//! What the process and its tokio runtimes use and do. Nothing runs and nothing is counted for it: numbers that the system
//! and tokio keep anyway are read when metrics are collected.

mod process;
mod tokio_runtime;

use opentelemetry::global;

pub(crate) use process::created;
use tokio_runtime::Runtimes;

/// The runtimes of the service: the one that `init` is called in, and those that a web framework makes for itself. Not
/// that of the exporters.
pub(crate) static SERVING: Runtimes = Runtimes::none();

/// Registers what is observed, at the global meter provider. Call it once, as early as there is one: the uptime counts
/// from here.
pub(crate) fn observe() {
    SERVING.add_current();
    process::observe(&global::meter("telemetry.process"));
    tokio_runtime::observe(&global::meter("telemetry.tokio"), &SERVING);
}

#[cfg(test)]
mod tests;

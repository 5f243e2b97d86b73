//! How export is going: said in the log at most once a minute, counted for the metrics, and summed up at the end.
//!
//! <https://github.com/open-telemetry/opentelemetry-rust/issues/1281>: a missing collector must not flood the logs.

mod account;
mod metrics;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_sdk::error::OTelSdkError;

pub(crate) use self::{
    account::{Account, Failure},
    metrics::observe,
};

const QUIET: Duration = Duration::from_secs(60);

/// For all signals together: one collector that is down costs one warning.
#[derive(Debug)]
pub(crate) struct Health {
    endpoint: String,
    state: Mutex<State>,
    spans: Account,
    logs: Account,
}

#[derive(Debug, Default)]
struct State {
    /// The signals whose last export failed, and why.
    failing: BTreeMap<&'static str, String>,
    warned: Option<Instant>,
    /// Whether the last warning still holds.
    down: bool,
    /// What found its queue full until somebody said so.
    refused: u64,
}

impl State {
    /// Whether a warning may be said now; it counts as said then.
    fn may_warn(&mut self) -> bool {
        let quiet = self.warned.is_some_and(|at| at.elapsed() < QUIET);
        if !quiet {
            self.warned = Some(Instant::now());
        }
        !quiet
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new(String::new())
    }
}

impl Health {
    pub(crate) fn of(endpoint: String) -> Arc<Self> {
        Arc::new(Self::new(endpoint))
    }

    fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            state: Mutex::default(),
            spans: Account::of("spans"),
            logs: Account::of("log records"),
        }
    }

    /// Where the records of a signal are counted. Metrics have no such place: they are totals, so that the next export
    /// makes up for one that was lost.
    pub(crate) fn account(&self, signal: &str) -> Option<&Account> {
        match signal {
            "traces" => Some(&self.spans),
            "logs" => Some(&self.logs),
            _ => None,
        }
    }

    /// Notes that an export of `signal` went well.
    pub(crate) fn succeeded(&self, signal: &'static str) {
        let refused = self.refused();
        let mut state = self.state();
        state.failing.remove(signal);
        if state.failing.is_empty() && std::mem::take(&mut state.down) {
            state.refused = refused;
            drop(state);
            let lost = self.lost();
            tracing::info!(target: "telemetry", "telemetry reaches {} again{lost}", self.endpoint);
            return;
        }
        // A collector that is only slow fails no export.
        if refused > state.refused && state.may_warn() {
            state.refused = refused;
            drop(state);
            tracing::warn!(
                target: "telemetry",
                "{} takes telemetry more slowly than it comes, and what finds its queue full is dropped{}",
                self.endpoint,
                self.lost(),
            );
        }
    }

    /// Notes that an export of `signal`, or its end, failed.
    pub(crate) fn failed(&self, signal: &'static str, error: &OTelSdkError) {
        let refused = self.refused();
        let mut state = self.state();
        state.failing.insert(signal, error.to_string());
        if !state.may_warn() {
            return;
        }
        state.down = true;
        state.refused = refused;
        drop(state);
        tracing::warn!(
            target: "telemetry",
            "telemetry does not reach {} and is dropped; the service goes on without it ({error}){}",
            self.endpoint,
            self.lost(),
        );
    }

    /// Why the last export of `signal` failed, if it did.
    pub(crate) fn failure(&self, signal: &str) -> Option<String> {
        self.state().failing.get(signal).cloned()
    }

    /// Notes that the collector answered well and took only a part.
    pub(crate) fn rejected(&self, signal: &'static str, count: u64, reason: &str) {
        if self.state().may_warn() {
            tracing::warn!(
                target: "telemetry",
                "{} rejected {count} items of {signal}: {reason:?}",
                self.endpoint,
            );
        }
    }

    /// Says once, when nothing more can leave, what did not.
    pub(crate) fn ended(&self) {
        let sums = [&self.spans, &self.logs].map(Account::sum);
        let sums: Vec<String> = sums.into_iter().flatten().collect();
        if sums.is_empty() {
            return;
        }
        let sums = sums.join(", ");
        if self.state().may_warn() {
            tracing::warn!(target: "telemetry", "telemetry was lost: {sums}");
        } else {
            tracing::info!(target: "telemetry", "telemetry was lost: {sums}");
        }
    }

    /// `; lost so far: 5 spans, 1 log records`, or nothing.
    fn lost(&self) -> String {
        let lost = [&self.spans, &self.logs].map(|account| (account.lost(), account.what()));
        let lost = lost.iter().filter(|(count, _)| *count > 0);
        let lost: Vec<String> = lost
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if lost.is_empty() {
            return String::new();
        }
        format!("; lost so far: {}", lost.join(", "))
    }

    fn refused(&self) -> u64 {
        self.spans.refused() + self.logs.refused()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

//! What became of the records of a signal: each that ended is exported, or lost for a reason, or still on its way.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use opentelemetry_sdk::error::OTelSdkError;

/// Why an exporter lost what it was given, by the `error.type` that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It took too long.
    Timeout,
    /// The collector took the batch and not this of it.
    Rejected,
    /// The exporter itself is broken.
    Panic,
    Other,
}

impl Failure {
    pub(crate) const ALL: [Self; 4] = [Self::Timeout, Self::Rejected, Self::Panic, Self::Other];

    /// The words of <https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/>.
    pub(crate) fn error_type(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Rejected => "rejected",
            Self::Panic => "panic",
            Self::Other => "_OTHER",
        }
    }

    /// `None` where the end of telemetry came first: what is unsent then is counted as that.
    pub(crate) fn of(error: &OTelSdkError) -> Option<Self> {
        match error {
            OTelSdkError::AlreadyShutdown => None,
            OTelSdkError::Timeout(_) => Some(Self::Timeout),
            _ => Some(Self::Other),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Account {
    what: &'static str,
    ended: AtomicU64,
    /// In the queue: ended, and not given to the exporter yet.
    waiting: AtomicU64,
    /// Found the queue full.
    refused: AtomicU64,
    /// Given to the exporter, whatever it made of it.
    processed: AtomicU64,
    exported: AtomicU64,
    failed: [AtomicU64; Failure::ALL.len()],
}

impl Account {
    pub(super) fn of(what: &'static str) -> Self {
        Self {
            what,
            ended: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            processed: AtomicU64::new(0),
            exported: AtomicU64::new(0),
            failed: Default::default(),
        }
    }

    /// One more has ended. Whether there is room for it in a queue of `capacity`.
    pub(crate) fn admit(&self, capacity: u64) -> bool {
        self.ended.fetch_add(1, Relaxed);
        let room = self.waiting.fetch_add(1, Relaxed) < capacity;
        if !room {
            self.waiting.fetch_sub(1, Relaxed);
            self.refused.fetch_add(1, Relaxed);
        }
        room
    }

    /// So many left the queue for the exporter.
    pub(crate) fn taken(&self, count: u64) {
        self.waiting.fetch_sub(count, Relaxed);
        self.processed.fetch_add(count, Relaxed);
    }

    pub(crate) fn exported(&self, count: u64) {
        self.exported.fetch_add(count, Relaxed);
    }

    pub(crate) fn failed(&self, failure: Failure, count: u64) {
        self.failed[failure as usize].fetch_add(count, Relaxed);
    }

    pub(super) fn what(&self) -> &'static str {
        self.what
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    pub(super) fn processed(&self) -> u64 {
        self.processed.load(Relaxed)
    }

    pub(super) fn well_exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = (Failure, u64)> {
        let count = |failure: Failure| (failure, self.failed[failure as usize].load(Relaxed));
        let counts = Failure::ALL.into_iter().map(count);
        counts.filter(|(_, count)| *count > 0)
    }

    pub(super) fn lost(&self) -> u64 {
        let failed: u64 = self.failures().map(|(_, count)| count).sum();
        self.refused() + failed
    }

    /// `5 of 9 spans (2 queue_full, 2 timeout, 1 unsent)`: what is lost for good, now that nothing leaves any more.
    pub(crate) fn sum(&self) -> Option<String> {
        let (ended, lost) = (self.ended.load(Relaxed), self.lost());
        let unsent = ended.saturating_sub(lost + self.well_exported());
        if lost + unsent == 0 {
            return None;
        }
        let failures = self.failures();
        let failures = failures.map(|(failure, count)| (failure.error_type(), count));
        let reasons = [("queue_full", self.refused())].into_iter();
        let reasons = reasons.chain(failures).chain([("unsent", unsent)]);
        let mut text = format!("{} of {ended} {} (", lost + unsent, self.what);
        let mut gap = "";
        for (reason, count) in reasons.filter(|(_, count)| *count > 0) {
            let _ = write!(text, "{gap}{count} {reason}");
            gap = ", ";
        }
        text.push(')');
        Some(text)
    }
}

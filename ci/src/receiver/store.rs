//! Everything received, and waiting for more of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::bail;
use tokio::sync::watch;
use tokio::time::timeout;

use super::answer::Answer;
use crate::signals::{LogRecord, MetricPoint, Span};

/// Signals in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub spans: Vec<Span>,
    pub metrics: Vec<MetricPoint>,
    pub logs: Vec<LogRecord>,
    /// Export requests by the protocol they came in: gRPC, HTTP.
    pub exports: [usize; 2],
}

/// The protocol an export came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc = 0,
    Http = 1,
}

#[derive(Debug, Default)]
pub struct Store {
    answer: Mutex<Answer>,
    received: Mutex<Received>,
    /// Bumped at each arrival, so that waiting needs no polling.
    arrivals: watch::Sender<()>,
}

impl Store {
    pub(super) fn add(&self, protocol: Protocol, add: impl FnOnce(&mut Received)) {
        let mut received = self.lock();
        received.exports[protocol as usize] += 1;
        add(&mut received);
        drop(received);
        self.arrivals.send_replace(());
    }

    pub(super) fn set_answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    pub(super) fn answer(&self) -> Answer {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of all there is now.
    pub fn snapshot(&self) -> Received {
        self.lock().clone()
    }

    /// Waits until `condition` holds of what was received.
    ///
    /// # Errors
    /// When it does not within `deadline`; `what` says for what was waited.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut condition: impl FnMut(&Received) -> bool,
    ) -> anyhow::Result<()> {
        let mut arrivals = self.arrivals.subscribe();
        let holds = async {
            // The sender lives as long as `self`, so `changed` cannot fail while we wait.
            while !condition(&self.lock()) && arrivals.changed().await.is_ok() {}
        };
        if timeout(deadline, holds).await.is_err() {
            let received = self.lock();
            bail!(
                "waited {deadline:?} for {what}; received {} spans, {} metric points, {} log records",
                received.spans.len(),
                received.metrics.len(),
                received.logs.len(),
            );
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

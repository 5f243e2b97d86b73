//! When a worker that has nothing to do looks into the queue.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::{Interval, MissedTickBehavior, interval},
};

use super::Jobs;

/// Jobs of other processes, and those whose time has come, wait this long at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// At once when a job is pushed in this process, else every second.
pub(super) struct Pace {
    signal: Arc<Notify>,
    pushed: Pin<Box<OwnedNotified>>,
    ticks: Interval,
}

impl Pace {
    pub(super) fn new(jobs: &Jobs) -> Self {
        let signal = jobs.pushed.clone();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            pushed: Box::pin(signal.clone().notified_owned()),
            signal,
            ticks,
        }
    }
}

impl PollStrategy for Pace {
    /// Is called before each look into the queue, and wakes the worker for the next one: so it never is ready itself.
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        while self.pushed.as_mut().poll(cx).is_ready() {
            self.pushed = Box::pin(self.signal.clone().notified_owned());
        }
        while self.ticks.poll_tick(cx).is_ready() {}
        Poll::Pending
    }
}

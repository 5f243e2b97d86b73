//! `tokio.*`: how busy the runtimes are that serve. The semantic conventions have no names for it, so these are our own,
//! made after `go.*` and `nodejs.eventloop.*`. Only what tokio promises to keep, without `tokio_unstable`:
//! <https://docs.rs/tokio/1/tokio/runtime/struct.RuntimeMetrics.html>.
//!
//! Summed over the runtimes and their workers: a series for each worker would say little more, and cost as many as there
//! are processors. Read when metrics are collected; tokio counts in any case.

use std::sync::{Mutex, PoisonError};

use opentelemetry::metrics::Meter;
use tokio::runtime::{Handle, RuntimeMetrics};

/// Runtimes whose work is counted together.
#[derive(Debug)]
pub(crate) struct Runtimes(Mutex<Vec<Handle>>);

impl Runtimes {
    pub(super) const fn none() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Counts the runtime that this is called in, if it is in one, from now on. Once it has ended, its counters stand still.
    pub(crate) fn add_current(&self) {
        let Ok(current) = Handle::try_current() else {
            return;
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().all(|other| other.id() != current.id()) {
            known.push(current);
        }
    }

    /// The sum over all runtimes; `None` while there are none.
    fn sum<T: std::iter::Sum>(&self, read: impl Fn(&RuntimeMetrics) -> T) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = known.iter().map(|runtime| read(&runtime.metrics())).sum();
        (!known.is_empty()).then_some(sum)
    }
}

/// Registers what is observed.
pub(super) fn observe(meter: &Meter, runtimes: &'static Runtimes) {
    let count = |name: &'static str,
                 unit: &'static str,
                 description: &'static str,
                 read: fn(&RuntimeMetrics) -> usize| {
        meter
            .i64_observable_up_down_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(move |observer| {
                if let Some(value) = runtimes.sum(read) {
                    observer.observe(i64::try_from(value).unwrap_or(i64::MAX), &[]);
                }
            })
            .build();
    };
    count(
        "tokio.worker.count",
        "{thread}",
        "Threads that run tasks.",
        RuntimeMetrics::num_workers,
    );
    count(
        "tokio.task.count",
        "{task}",
        "Spawned tasks that have not ended.",
        RuntimeMetrics::num_alive_tasks,
    );
    count(
        "tokio.global_queue.size",
        "{task}",
        "Tasks that are ready to run and that no worker has taken yet.",
        RuntimeMetrics::global_queue_depth,
    );
    // As tokio has it: these are 64-bit numbers that are counted without a lock.
    #[cfg(target_has_atomic = "64")]
    work(meter, runtimes);
}

#[cfg(target_has_atomic = "64")]
fn work(meter: &Meter, runtimes: &'static Runtimes) {
    fn of_workers<T: std::iter::Sum>(
        runtime: &RuntimeMetrics,
        read: fn(&RuntimeMetrics, usize) -> T,
    ) -> T {
        let workers = 0..runtime.num_workers();
        workers.map(|worker| read(runtime, worker)).sum()
    }
    meter
        .f64_observable_counter("tokio.worker.busy_time")
        .with_unit("s")
        .with_description("Time that workers spent running tasks, all together.")
        .with_callback(move |observer| {
            let busy = |runtime: &RuntimeMetrics| {
                of_workers(runtime, RuntimeMetrics::worker_total_busy_duration)
            };
            if let Some(time) = runtimes.sum(busy) {
                observer.observe(time.as_secs_f64(), &[]);
            }
        })
        .build();
    meter
        .u64_observable_counter("tokio.worker.parks")
        .with_unit("{park}")
        .with_description("Times that a worker had nothing to do and went to sleep.")
        .with_callback(move |observer| {
            let parks =
                |runtime: &RuntimeMetrics| of_workers(runtime, RuntimeMetrics::worker_park_count);
            if let Some(times) = runtimes.sum(parks) {
                observer.observe(times, &[]);
            }
        })
        .build();
}

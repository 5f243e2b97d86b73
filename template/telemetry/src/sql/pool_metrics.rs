//! `db.client.connection.*`: <https://opentelemetry.io/docs/specs/semconv/db/database-metrics/#connection-pools>.
//!
//! Counts and limits are read off sqlx's pool, so they include whatever uses the raw pool. Waiting, use and timeouts are
//! measured where connections are taken through [`super::Pool`]. `create_time` is missing: sqlx opens connections inside
//! and reports only that it did.

use std::{
    sync::{
        Weak,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};
use opentelemetry_semantic_conventions::{
    attribute::{DB_CLIENT_CONNECTION_POOL_NAME, DB_CLIENT_CONNECTION_STATE},
    metric as name,
};

use super::{operation::BOUNDARIES, pool::Shared};
use crate::series::Series;

#[derive(Debug)]
pub(super) struct PoolMetrics {
    attributes: [KeyValue; 1],
    pending: AtomicI64,
    timeouts: Counter<u64>,
    wait_time: Series<f64>,
    use_time: Series<f64>,
}

impl PoolMetrics {
    pub(super) fn new(meter: &Meter, pool: &'static str) -> Self {
        let attributes = [KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, pool)];
        let seconds = |name, description| {
            let histogram = meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description);
            let histogram = histogram.with_boundaries(BOUNDARIES.to_vec()).build();
            Series::new(&histogram, attributes.as_slice().into())
        };
        let timeouts = meter
            .u64_counter(name::DB_CLIENT_CONNECTION_TIMEOUTS)
            .with_unit("{timeout}")
            .with_description("Times that waiting for a connection ended in a timeout.")
            .build();
        // A counter that is there before it counts: alerts on its rate see the first timeout too.
        timeouts.add(0, &attributes);
        Self {
            pending: AtomicI64::new(0),
            timeouts,
            wait_time: seconds(
                name::DB_CLIENT_CONNECTION_WAIT_TIME,
                "Time it took to get a connection from the pool.",
            ),
            use_time: seconds(
                name::DB_CLIENT_CONNECTION_USE_TIME,
                "Time between taking a connection and returning it.",
            ),
            attributes,
        }
    }

    /// Registers what is observed when metrics are collected. Only weak references: instruments live as long as their
    /// provider, and must neither keep a pool alive nor report one that is gone.
    pub(super) fn observe(meter: &Meter, pool: &Weak<Shared>) {
        let gauge = |name: &'static str,
                     unit: &'static str,
                     description: &'static str,
                     read: fn(&Shared) -> i64| {
            let pool = Weak::clone(pool);
            let instrument = meter
                .i64_observable_up_down_counter(name)
                .with_unit(unit)
                .with_description(description);
            instrument
                .with_callback(move |observer| {
                    if let Some(pool) = open(&pool) {
                        observer.observe(read(&pool), &pool.metrics.attributes);
                    }
                })
                .build();
        };
        gauge(
            name::DB_CLIENT_CONNECTION_MAX,
            "{connection}",
            "Connections that may be open.",
            |pool| pool.raw.options().get_max_connections().into(),
        );
        // sqlx knows one lower and one upper limit, for open connections. When none is in use they limit the idle ones.
        gauge(
            name::DB_CLIENT_CONNECTION_IDLE_MIN,
            "{connection}",
            "Idle connections that the pool keeps at least.",
            |pool| pool.raw.options().get_min_connections().into(),
        );
        gauge(
            name::DB_CLIENT_CONNECTION_IDLE_MAX,
            "{connection}",
            "Idle connections that the pool keeps at most.",
            |pool| pool.raw.options().get_max_connections().into(),
        );
        gauge(
            name::DB_CLIENT_CONNECTION_PENDING_REQUESTS,
            "{request}",
            "Requests that wait for a connection.",
            |pool| pool.metrics.pending.load(Relaxed),
        );
        let pool = Weak::clone(pool);
        meter
            .i64_observable_up_down_counter(name::DB_CLIENT_CONNECTION_COUNT)
            .with_unit("{connection}")
            .with_description("Open connections, by state.")
            .with_callback(move |observer| {
                if let Some(pool) = open(&pool) {
                    let idle = i64::try_from(pool.raw.num_idle()).unwrap_or(i64::MAX);
                    // The two numbers are read one after the other while the pool works on.
                    let used = (i64::from(pool.raw.size()) - idle).max(0);
                    for (state, count) in [("idle", idle), ("used", used)] {
                        let [name] = &pool.metrics.attributes;
                        observer.observe(
                            count,
                            &[
                                name.clone(),
                                KeyValue::new(DB_CLIENT_CONNECTION_STATE, state),
                            ],
                        );
                    }
                }
            })
            .build();
    }

    /// Counts a request for a connection from now on; see [`Waiting::end`].
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.pending.fetch_add(1, Relaxed);
        Waiting {
            metrics: self,
            since: Instant::now(),
        }
    }

    pub(super) fn used(&self, time: Duration) {
        self.use_time.record(time.as_secs_f64());
    }
}

fn open(pool: &Weak<Shared>) -> Option<std::sync::Arc<Shared>> {
    pool.upgrade().filter(|pool| !pool.raw.is_closed())
}

/// A request for a connection. Given up or answered, it stops counting when dropped.
pub(super) struct Waiting<'a> {
    metrics: &'a PoolMetrics,
    since: Instant,
}

impl Waiting<'_> {
    pub(super) fn end<T>(self, result: &Result<T, sqlx::Error>) {
        match result {
            Ok(_) => self
                .metrics
                .wait_time
                .record(self.since.elapsed().as_secs_f64()),
            Err(sqlx::Error::PoolTimedOut) => {
                self.metrics.timeouts.add(1, &self.metrics.attributes)
            }
            Err(_) => {}
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.metrics.pending.fetch_sub(1, Relaxed);
    }
}

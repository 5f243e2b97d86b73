//! Time series that are written to often: their attributes are looked up once, at the first measurement, and not each time.

use std::sync::{Arc, OnceLock};

use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram},
};

/// One series of a histogram. It does not exist before its first measurement, as without this.
#[derive(Debug)]
pub(crate) struct Series<T> {
    histogram: Histogram<T>,
    attributes: Arc<[KeyValue]>,
    bound: OnceLock<BoundHistogram<T>>,
}

impl<T: Clone> Series<T> {
    pub(crate) fn new(histogram: &Histogram<T>, attributes: Arc<[KeyValue]>) -> Self {
        Self {
            histogram: histogram.clone(),
            attributes,
            bound: OnceLock::new(),
        }
    }

    pub(crate) fn record(&self, value: T) {
        let bind = || self.histogram.bind(&self.attributes);
        self.bound.get_or_init(bind).record(value);
    }
}

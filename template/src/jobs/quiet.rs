//! Warnings that would be repeated by every worker, every second, as long as the queue is away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two warnings.
const QUIET: Duration = Duration::from_secs(60);

/// When there was the last one. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Quiet(Arc<Mutex<Option<Instant>>>);

impl Quiet {
    /// Whether it is time for another one.
    pub(super) fn is_over(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = last.is_none_or(|at| at.elapsed() > QUIET);
        if is_over {
            *last = Some(Instant::now());
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_together_warn_once() {
        let quiet = Quiet::default();
        assert!(quiet.clone().is_over());
        assert!(!quiet.is_over());
    }
}

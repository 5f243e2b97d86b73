//! How many requests are served at a time. One too many is refused at once: let in, it would make all others slower, until
//! none is answered before its client has given up. <https://sre.google/sre-book/addressing-cascading-failures/>

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{AppError, Failure};

/// Where requests are let in. Clones count together.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

/// A request that was let in, until it is answered.
#[derive(Debug)]
pub struct Admission(#[expect(dead_code, reason = "it is dropped, no more")] OwnedSemaphorePermit);

impl Gate {
    /// Lets in so many at a time.
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(Semaphore::new(limit as usize)))
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// 503 when there are too many.
    pub fn enter(&self) -> Result<Admission, AppError> {
        let admitted = self.0.clone().try_acquire_owned();
        admitted.map(Admission).map_err(|_| {
            AppError::Failed(Failure {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: "overloaded",
                detail: Some("too many requests are being served"),
                is_transient: true,
                cause: None,
            })
        })
    }
}

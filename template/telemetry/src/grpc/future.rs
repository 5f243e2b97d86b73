//! A call until its response's head is there.

use std::{
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{ErrorType, body::CallBody, call::Call, deadline::Timer, status};

pin_project! {
    /// A call at work, inside its span.
    pub struct CallFuture<F> {
        #[pin]
        inner: Option<F>,
        #[pin]
        timer: Timer,
        // Dropped with the future: a call that is given up still ends its span.
        call: Option<Call>,
    }
}

impl<F> CallFuture<F> {
    /// `until`: when there must be a head.
    pub(super) fn new(inner: F, call: Call, until: Option<Instant>) -> Self {
        Self {
            inner: Some(inner),
            timer: Timer::new(until),
            call: Some(call),
        }
    }
}

impl<F, R, E> Future for CallFuture<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Output = Result<http::Response<CallBody<R>>, Status>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let entered = this
            .call
            .as_ref()
            .and_then(Call::context)
            .map(|context| context.clone().attach());
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending; // Polled again after its end, which nobody may.
        };
        let Some(polled) = this.timer.poll_unless_over(task, |task| inner.poll(task)) else {
            // The work first, so that its spans end within this one.
            this.inner.set(None);
            end(this.call, Code::DeadlineExceeded, None);
            return Poll::Ready(Ok(late().into_http()));
        };
        let result = ready!(polled);
        drop(entered);
        Poll::Ready(match result {
            Ok(response) => Ok(with_head(response, this.call)),
            Err(error) => {
                let status = Status::from_error(error.into());
                end(this.call, status.code(), None);
                Err(status)
            }
        })
    }
}

/// What the caller of a call that took too long is told.
pub(super) fn late() -> Status {
    Status::deadline_exceeded("the deadline has passed")
}

fn end(call: &mut Option<Call>, code: Code, error: Option<ErrorType>) {
    if let Some(call) = call.take() {
        call.end(code, error);
    }
}

fn with_head<R>(
    response: http::Response<R>,
    call: &mut Option<Call>,
) -> http::Response<CallBody<R>> {
    if let Some(call) = call {
        call.answered();
    }
    // A response that is nothing but its status has it in the head.
    if let Some(code) = status(response.headers()) {
        let error = response.extensions().get::<ErrorType>().copied();
        end(call, code, error);
    }
    let (call, http_status) = (call.take(), response.status());
    response.map(|body| CallBody::new(body, call, http_status))
}

//! The rest of a call: messages, and the trailers that tell its outcome.

use std::{
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};

use super::{call::Call, deadline::Timer, future::late, status};

pin_project! {
    /// A response's body, which its call's span covers to the end.
    pub struct CallBody<B> {
        #[pin]
        inner: Option<B>,
        #[pin]
        timer: Timer,
        call: Option<Call>,
        http_status: StatusCode,
    }
}

/// No body: the head said it all.
impl<B> Default for CallBody<B> {
    fn default() -> Self {
        Self {
            inner: None,
            timer: Timer::default(),
            call: None,
            http_status: StatusCode::OK,
        }
    }
}

impl<B> CallBody<B> {
    pub(super) fn new(inner: B, call: Option<Call>, http_status: StatusCode) -> Self {
        let deadline = call.as_ref().and_then(Call::deadline);
        Self {
            inner: Some(inner),
            timer: Timer::new(deadline),
            call,
            http_status,
        }
    }
}

impl<B> Body for CallBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Status>>> {
        let mut this = self.project();
        let entered = this
            .call
            .as_ref()
            .and_then(Call::context_of_body)
            .map(|context| context.clone().attach());
        let mut end = |code| {
            if let Some(call) = this.call.take() {
                call.end(code, None);
            }
        };
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let timer = this.timer.as_mut();
        let polled = timer.poll_unless_over(task, |task| inner.poll_frame(task));
        let Some(polled) = polled else {
            this.timer.set(Timer::default());
            this.inner.set(None);
            end(Code::DeadlineExceeded);
            let trailers = late().into_http::<()>().into_parts().0.headers;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        };
        let frame = ready!(polled);
        drop(entered);
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.timer.set(Timer::default());
                    end(status(trailers).unwrap_or_else(|| without_status(*this.http_status)));
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.timer.set(Timer::default());
                let status = Status::from_error(error.into());
                end(status.code());
                Some(Err(status))
            }
            None => {
                this.timer.set(Timer::default());
                end(without_status(*this.http_status));
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The code of a response that names none: it is of something that speaks HTTP only.
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn without_status(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

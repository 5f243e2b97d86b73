//! salvo: a hoop. Add it with `Service::hoop` and first, so that it sees the requests that no route matches and the
//! response of every hoop inside it, a caught panic's included.

use std::{
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http::{Version, header};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::trace::FutureExt as _;
use salvo::{BoxedError, Depot, FlowCtrl, Handler, async_trait, http::ResBody};
use tracing::level_filters::LevelFilter;

use super::{ErrorType, Request, ServerSpan};
use crate::propagation::headers::Carrier;

/// salvo says at INFO what the service says itself: where it listens, and each step of its stopping.
pub(crate) const QUIET: &[(&str, LevelFilter)] = &[("salvo_core", LevelFilter::WARN)];

/// Makes a server span of each request.
#[derive(Debug, Clone, Copy, Default)]
pub struct TelemetryHoop;

#[async_trait]
impl Handler for TelemetryHoop {
    async fn handle(
        &self,
        request: &mut salvo::Request,
        depot: &mut Depot,
        response: &mut salvo::Response,
        ctrl: &mut FlowCtrl,
    ) {
        // Lives outside the handlers' future: a request that is given up still ends its span.
        let Some(mut span) = start(request, response) else {
            ctrl.call_next(request, depot, response).await;
            return;
        };
        let context = span.context().clone();
        ctrl.call_next(request, depot, response)
            .with_context(context)
            .await;

        let status = response.status_code.unwrap_or_default();
        let error = response.extensions.get::<ErrorType>().copied();
        span.respond(status.as_u16(), error);
        for (name, value) in span.response_headers() {
            response.headers.insert(name, value);
        }
        // A body in one piece is as good as sent; the span of a stream lasts as long as the stream
        // (https://github.com/tensorzero/tensorzero/pull/2191).
        if response.body.size_hint().exact().is_none() {
            let inner = response.take_body();
            let body = TelemetryBody {
                inner,
                span: Some(span),
            };
            response.body(ResBody::Boxed(Box::pin(body)));
        }
    }
}

fn start(request: &salvo::Request, response: &salvo::Response) -> Option<ServerSpan> {
    let uri = request.uri();
    let host = || request.headers().get(header::HOST)?.to_str().ok();
    // Where no route matched, salvo has set 404 already. The matched path of `/` is empty, too.
    let route = response
        .status_code
        .is_none()
        .then(|| format!("/{}", request.matched_path()));
    ServerSpan::start(&Request {
        method: request.method().as_str(),
        scheme: uri.scheme_str().unwrap_or("http"),
        path: uri.path(),
        query: uri.query(),
        route: route.as_deref(),
        protocol_version: match request.version() {
            Version::HTTP_09 => "0.9",
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => "1.1",
        },
        authority: uri
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(host),
        peer: request.remote_addr().clone().into_std(),
        headers: &Carrier(request.headers()),
    })
}

/// A streamed response's body, which its span covers to the end.
struct TelemetryBody {
    inner: ResBody,
    span: Option<ServerSpan>,
}

impl Body for TelemetryBody {
    type Data = <ResBody as Body>::Data;
    type Error = BoxedError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxedError>>> {
        let entered = self
            .span
            .as_ref()
            .map(|span| span.context().clone().attach());
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(task));
        drop(entered);
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                if let Some(mut span) = self.span.take() {
                    span.body_failed();
                }
            }
            None => self.span = None,
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{future, sync::Arc};

    use opentelemetry::propagation::Extractor as _;

    use super::*;
    use crate::testing::{Trace, attribute};

    /// A body of unknown length: two frames, one byte each.
    struct Stream(u8);

    impl Body for Stream {
        type Data = <ResBody as Body>::Data;
        type Error = BoxedError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Task<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, BoxedError>>> {
            let frame = self.0.checked_sub(1).map(|left| {
                self.0 = left;
                Ok(Frame::data(vec![left].into()))
            });
            Poll::Ready(frame)
        }
    }

    struct Streams;

    #[async_trait]
    impl Handler for Streams {
        async fn handle(
            &self,
            _: &mut salvo::Request,
            _: &mut Depot,
            response: &mut salvo::Response,
            _: &mut FlowCtrl,
        ) {
            response.body(ResBody::Boxed(Box::pin(Stream(2))));
        }
    }

    async fn answer(trace: &Trace) -> salvo::Response {
        let mut request = salvo::Request::new();
        let traceparent = trace.traceparent().parse().expect("a valid header");
        request.headers_mut().insert("traceparent", traceparent);
        let mut response = salvo::Response::new();
        // As salvo does where no route matches.
        response.status_code(http::StatusCode::NOT_FOUND);
        let mut ctrl = FlowCtrl::new(vec![Arc::new(TelemetryHoop), Arc::new(Streams)]);
        ctrl.call_next(&mut request, &mut Depot::new(), &mut response)
            .await;
        response
    }

    /// <https://github.com/tensorzero/tensorzero/pull/2191>
    #[tokio::test]
    async fn the_span_of_a_streamed_response_lasts_as_long_as_its_body() {
        let trace = Trace::new();
        let mut answer = answer(&trace).await;
        let traceresponse = Carrier(answer.headers()).get("traceresponse").map(str::len);
        assert_eq!(traceresponse, Some(55));

        let mut body = Box::pin(answer.take_body());
        for _ in 0..2 {
            let frame = future::poll_fn(|task| body.as_mut().poll_frame(task)).await;
            assert!(frame.is_some());
            assert!(trace.spans().is_empty(), "the span ended before the body");
        }
        assert!(
            future::poll_fn(|task| body.as_mut().poll_frame(task))
                .await
                .is_none()
        );

        assert_eq!(trace.tree().await, "SERVER GET\n");
        let status = attribute(&trace.spans()[0], "http.response.status_code");
        assert_eq!(status.as_deref(), Some("404"));
    }

    #[tokio::test]
    async fn a_stream_that_nobody_reads_any_more_ends_its_span() {
        let trace = Trace::new();
        drop(answer(&trace).await);
        assert_eq!(trace.tree().await, "SERVER GET\n");
    }
}

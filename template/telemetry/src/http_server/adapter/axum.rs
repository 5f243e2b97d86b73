//! axum: a tower layer. Add it with `Router::layer` and outermost, so that it sees the matched route and the response
//! of every layer inside it, a caught panic's included.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use axum::extract::{ConnectInfo, MatchedPath};
use http::{Version, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::level_filters::LevelFilter;

use super::{ErrorType, Request, ServerSpan};
use crate::propagation::headers::Carrier;

/// What of the framework's own logs is not wanted: it has none.
pub(crate) const QUIET: &[(&str, LevelFilter)] = &[];

/// Makes a server span of each request.
#[derive(Debug, Clone, Copy, Default)]
pub struct TelemetryLayer;

impl<S> tower_layer::Layer<S> for TelemetryLayer {
    type Service = Telemetry<S>;

    fn layer(&self, inner: S) -> Telemetry<S> {
        Telemetry { inner }
    }
}

/// The service that [`TelemetryLayer`] makes.
#[derive(Debug, Clone)]
pub struct Telemetry<S> {
    inner: S,
}

impl<S, B, R> tower_service::Service<http::Request<B>> for Telemetry<S>
where
    S: tower_service::Service<http::Request<B>, Response = http::Response<R>>,
    R: Body,
{
    type Response = http::Response<TelemetryBody<R>>;
    type Error = S::Error;
    type Future = TelemetryFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let span = start(&request);
        let _entered = span.as_ref().map(|span| span.context().clone().attach());
        TelemetryFuture {
            inner: self.inner.call(request),
            span,
        }
    }
}

fn start<B>(request: &http::Request<B>) -> Option<ServerSpan> {
    let uri = request.uri();
    let host = || request.headers().get(header::HOST)?.to_str().ok();
    ServerSpan::start(&Request {
        method: request.method().as_str(),
        scheme: uri.scheme_str().unwrap_or("http"),
        path: uri.path(),
        query: uri.query(),
        route: request
            .extensions()
            .get::<MatchedPath>()
            .map(MatchedPath::as_str),
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
        peer: request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0),
        headers: &Carrier(request.headers()),
    })
}

pin_project! {
    /// A handler at work, inside its span.
    pub struct TelemetryFuture<F> {
        #[pin]
        inner: F,
        // Dropped with the future: a request that is given up still ends its span.
        span: Option<ServerSpan>,
    }
}

impl<F, R, E> Future for TelemetryFuture<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
    R: Body,
{
    type Output = Result<http::Response<TelemetryBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this
            .span
            .as_ref()
            .map(|span| span.context().clone().attach());
        let mut response = ready!(this.inner.poll(task))?;
        drop(entered);
        let mut span = this.span.take();
        if let Some(span) = &mut span {
            let error = response.extensions().get::<ErrorType>().copied();
            span.respond(response.status().as_u16(), error);
            for (name, value) in span.response_headers() {
                response.headers_mut().insert(name, value);
            }
        }
        // A body in one piece is as good as sent; the span of a stream lasts as long as the stream
        // (https://github.com/tensorzero/tensorzero/pull/2191).
        let streamed = response.body().size_hint().exact().is_none();
        Poll::Ready(Ok(response.map(|inner| TelemetryBody {
            inner,
            span: span.filter(|_| streamed),
        })))
    }
}

pin_project! {
    /// A response's body, which a streamed response's span covers to its end.
    pub struct TelemetryBody<B> {
        #[pin]
        inner: B,
        span: Option<ServerSpan>,
    }
}

impl<B: Body> Body for TelemetryBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let entered = this
            .span
            .as_ref()
            .map(|span| span.context().clone().attach());
        let frame = ready!(this.inner.poll_frame(task));
        drop(entered);
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                if let Some(mut span) = this.span.take() {
                    span.body_failed();
                }
            }
            None => *this.span = None,
        }
        Poll::Ready(frame)
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
    use std::{convert::Infallible, future};

    use opentelemetry::propagation::Extractor as _;
    use tower_layer::Layer as _;
    use tower_service::Service;

    use super::*;
    use crate::testing::{Trace, attribute};

    /// A body of unknown length: two frames, one byte each.
    struct Stream(u8);

    impl Body for Stream {
        type Data = std::io::Cursor<[u8; 1]>;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Task<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
            let frame = self.0.checked_sub(1).map(|left| {
                self.0 = left;
                Ok(Frame::data(std::io::Cursor::new([left])))
            });
            Poll::Ready(frame)
        }
    }

    struct Streams;

    impl Service<http::Request<()>> for Streams {
        type Response = http::Response<Stream>;
        type Error = Infallible;
        type Future = future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: http::Request<()>) -> Self::Future {
            future::ready(Ok(http::Response::new(Stream(2))))
        }
    }

    async fn answer(trace: &Trace) -> http::Response<TelemetryBody<Stream>> {
        let request = http::Request::get("/stream").header("traceparent", trace.traceparent());
        let request = request.body(()).expect("a valid request");
        let answer = TelemetryLayer.layer(Streams).call(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    /// <https://github.com/tensorzero/tensorzero/pull/2191>
    #[tokio::test]
    async fn the_span_of_a_streamed_response_lasts_as_long_as_its_body() {
        let trace = Trace::new();
        let answer = answer(&trace).await;
        let traceresponse = Carrier(answer.headers()).get("traceresponse").map(str::len);
        assert_eq!(traceresponse, Some(55));

        let mut body = Box::pin(answer.into_body());
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
        assert_eq!(status.as_deref(), Some("200"));
    }

    #[tokio::test]
    async fn a_stream_that_nobody_reads_any_more_ends_its_span() {
        let trace = Trace::new();
        drop(answer(&trace).await);
        assert_eq!(trace.tree().await, "SERVER GET\n");
    }
}

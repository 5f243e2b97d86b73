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
use opentelemetry_http::HeaderExtractor;
use pin_project_lite::pin_project;

use super::{ErrorType, Request, ServerSpan};

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
        headers: &HeaderExtractor(request.headers()),
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

//! actix-web: a middleware. Add it with the last `App::wrap`, which makes it the outermost, so that it sees the response
//! of every middleware inside it, a caught panic's included.

use std::{
    future::{Ready, ready},
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use actix_web::{
    Error,
    body::{BodySize, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    error::InternalError,
    http::{
        Version,
        header::{HOST, HeaderMap, HeaderName, HeaderValue},
        uri::Authority,
    },
    web::Bytes,
};
use pin_project_lite::pin_project;
use tracing::level_filters::LevelFilter;

use super::{ErrorType, Request, ServerSpan};
use crate::propagation::headers::{Carrier, Headers};

/// What of the framework's own logs is not wanted: an error for each malformed request, which any client can cause, and
/// the comings and goings of its threads.
pub(crate) const QUIET: &[(&str, LevelFilter)] = &[
    ("actix_http", LevelFilter::OFF),
    ("actix_server", LevelFilter::WARN),
];

/// Makes a server span of each request.
#[derive(Debug, Clone, Copy, Default)]
pub struct TelemetryLayer;

impl<S, B> Transform<S, ServiceRequest> for TelemetryLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<TelemetryBody<B>>;
    type Error = Error;
    type Transform = Telemetry<S>;
    type InitError = ();
    type Future = Ready<Result<Telemetry<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        // Called by each worker, which has a runtime of its own.
        crate::runtime::SERVING.add_current();
        ready(Ok(Telemetry { inner }))
    }
}

/// The service that [`TelemetryLayer`] makes.
#[derive(Debug, Clone)]
pub struct Telemetry<S> {
    inner: S,
}

impl<S, B> Service<ServiceRequest> for Telemetry<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<TelemetryBody<B>>;
    type Error = Error;
    type Future = TelemetryFuture<S::Future>;

    fn poll_ready(&self, task: &mut Task<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let span = start(&request);
        let _entered = span.as_ref().map(|span| span.context().clone().attach());
        TelemetryFuture {
            inner: self.inner.call(request),
            span,
        }
    }
}

fn start(request: &ServiceRequest) -> Option<ServerSpan> {
    let uri = request.uri();
    let host = || request.headers().get(HOST)?.to_str().ok();
    // As the router will match it: decoded.
    let route = request
        .resource_map()
        .match_pattern(request.match_info().as_str());
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
        authority: uri.authority().map(Authority::as_str).or_else(host),
        peer: request.peer_addr(),
        headers: &Carrier(request.headers()),
    })
}

// They are those of another version of `http`.
impl Headers for HeaderMap {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).map(HeaderValue::as_bytes)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.keys().map(HeaderName::as_str)
    }
}

/// Notes the response's head and leads its caller to the trace.
fn respond<B>(span: &mut ServerSpan, response: &mut actix_web::HttpResponse<B>) {
    let error = response.extensions().get::<ErrorType>().copied();
    span.respond(response.status().as_u16(), error);
    for (name, value) in span.response_headers() {
        // Of another version of the crate `http`.
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
}

pin_project! {
    /// A handler at work, inside its span. Each poll enters the span anew: a worker's one thread serves many requests.
    pub struct TelemetryFuture<F> {
        #[pin]
        inner: F,
        // Dropped with the future: a request that is given up still ends its span.
        span: Option<ServerSpan>,
    }
}

impl<F, B> Future for TelemetryFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody + 'static,
{
    type Output = Result<ServiceResponse<TelemetryBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this
            .span
            .as_ref()
            .map(|span| span.context().clone().attach());
        let handled = ready!(this.inner.poll(task));
        // An error of a middleware becomes a response here instead of further out, so that it is one as all others are.
        let handled = handled.map_err(|error| (error.error_response(), error));
        drop(entered);
        let mut span = this.span.take();
        Poll::Ready(match handled {
            Ok(mut response) => {
                if let Some(span) = &mut span {
                    respond(span, response.response_mut());
                }
                Ok(response.map_body(|_, inner| TelemetryBody::new(inner, span)))
            }
            Err((mut response, error)) => {
                if let Some(span) = &mut span {
                    respond(span, &mut response);
                }
                let response =
                    response.map_body(|_, inner| TelemetryBody::new(inner, span).boxed());
                Err(InternalError::from_response(error, response).into())
            }
        })
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

impl<B: MessageBody> TelemetryBody<B> {
    /// A body in one piece is as good as sent; the span of a stream lasts as long as the stream
    /// (<https://github.com/tensorzero/tensorzero/pull/2191>).
    fn new(inner: B, span: Option<ServerSpan>) -> Self {
        let streamed = inner.size() == BodySize::Stream;
        Self {
            inner,
            span: span.filter(|_| streamed),
        }
    }
}

impl<B: MessageBody> MessageBody for TelemetryBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        let entered = this
            .span
            .as_ref()
            .map(|span| span.context().clone().attach());
        let chunk = ready!(this.inner.poll_next(task));
        drop(entered);
        match &chunk {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                if let Some(mut span) = this.span.take() {
                    span.body_failed();
                }
            }
            None => *this.span = None,
        }
        Poll::Ready(chunk)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { inner, span } = self;
        inner.try_into_bytes().map_err(|inner| Self { inner, span })
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn, pin::pin};

    use actix_web::{
        App, HttpResponse,
        dev::Service as _,
        error::ErrorServiceUnavailable,
        test::{TestRequest, call_service, init_service},
        web,
    };

    use super::*;
    use crate::testing::{Trace, attribute};

    /// A body of unknown length: two chunks, one byte each.
    struct Stream(u8);

    impl MessageBody for Stream {
        type Error = Infallible;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(
            mut self: Pin<&mut Self>,
            _: &mut Task<'_>,
        ) -> Poll<Option<Result<Bytes, Infallible>>> {
            let chunk = self.0.checked_sub(1).map(|left| {
                self.0 = left;
                Ok(Bytes::copy_from_slice(&[left]))
            });
            Poll::Ready(chunk)
        }
    }

    fn get(trace: &Trace, path: &str) -> TestRequest {
        TestRequest::get()
            .uri(path)
            .insert_header(("traceparent", trace.traceparent()))
    }

    async fn answer(trace: &Trace) -> ServiceResponse<impl MessageBody> {
        async fn stream() -> HttpResponse {
            HttpResponse::Ok().body(Stream(2))
        }
        let app = App::new()
            .route("/stream", web::get().to(stream))
            .wrap(TelemetryLayer);
        let app = init_service(app).await;
        call_service(&app, get(trace, "/stream").to_request()).await
    }

    /// <https://github.com/tensorzero/tensorzero/pull/2191>
    #[tokio::test]
    async fn the_span_of_a_streamed_response_lasts_as_long_as_its_body() {
        let trace = Trace::new();
        let answer = answer(&trace).await;
        let traceresponse = answer.headers().get("traceresponse");
        assert_eq!(traceresponse.map(HeaderValue::len), Some(55));

        let mut body = pin!(answer.into_body());
        for _ in 0..2 {
            let chunk = poll_fn(|task| body.as_mut().poll_next(task)).await;
            assert!(chunk.is_some());
            assert!(trace.spans().is_empty(), "the span ended before the body");
        }
        let end = poll_fn(|task| body.as_mut().poll_next(task)).await;
        assert!(end.is_none());

        assert_eq!(trace.tree().await, "SERVER GET /stream\n");
        let status = attribute(&trace.spans()[0], "http.response.status_code");
        assert_eq!(status.as_deref(), Some("200"));
    }

    #[tokio::test]
    async fn a_stream_that_nobody_reads_any_more_ends_its_span() {
        let trace = Trace::new();
        drop(answer(&trace).await);
        assert_eq!(trace.tree().await, "SERVER GET /stream\n");
    }

    #[tokio::test]
    async fn an_error_of_a_middleware_is_a_response() {
        let trace = Trace::new();
        let app = App::new()
            .wrap_fn(|_, _| ready(Err::<ServiceResponse, _>(ErrorServiceUnavailable("closed"))))
            .wrap(TelemetryLayer);
        let app = init_service(app).await;

        let Err(error) = app.call(get(&trace, "/").to_request()).await else {
            panic!("the middleware fails");
        };

        let response = error.as_response_error().error_response();
        assert_eq!(response.status(), 503);
        let traceresponse = response.headers().get("traceresponse");
        assert_eq!(traceresponse.map(HeaderValue::len), Some(55));
        assert_eq!(trace.tree().await, "SERVER GET ERROR 503\n");
    }

    #[tokio::test]
    async fn requests_that_take_turns_on_one_thread_keep_their_traces_apart() {
        async fn work() -> &'static str {
            for name in ["first", "second"] {
                crate::traced(name, [], tokio::task::yield_now()).await;
            }
            ""
        }
        let app = App::new()
            .route("/work", web::get().to(work))
            .wrap(TelemetryLayer);
        let app = init_service(app).await;
        let traces = [Trace::new(), Trace::new()];
        let [one, other] = traces.each_ref().map(|trace| {
            let request = get(trace, "/work").to_request();
            call_service(&app, request)
        });

        let _ = tokio::join!(one, other);

        for trace in traces {
            assert_eq!(
                trace.tree().await,
                "SERVER GET /work\n  INTERNAL first\n  INTERNAL second\n"
            );
        }
    }

    #[tokio::test]
    async fn the_route_is_the_one_that_is_served() {
        let app = App::new()
            .route("/users/{id}", web::get().to(HttpResponse::Ok))
            .wrap(TelemetryLayer);
        let app = init_service(app).await;
        let trace = Trace::new();
        let answer = call_service(&app, get(&trace, "/%75sers/1").to_request()).await;
        assert_eq!(answer.status(), 200);
        drop(answer);
        assert_eq!(trace.tree().await, "SERVER GET /users/{id}\n");
    }
}

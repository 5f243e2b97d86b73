//! Rocket: wrapped handlers and a fairing. A fairing sees a request come and its response go, but cannot run what is in
//! between inside a span, so routes and catchers are wrapped as well:
//!
//! ```
//! # use rocket::{Rocket, Build, catchers, routes};
//! use telemetry::http_server::{TelemetryFairing, traced_catchers, traced_routes};
//! # fn build() -> Rocket<Build> {
//! rocket::build()
//!     .mount("/", traced_routes(routes![]))
//!     .register("/", traced_catchers(catchers![]))
//!     .attach(TelemetryFairing) // last, so that it sees what the others make of a response
//! # }
//! ```

use std::{
    borrow::Cow,
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context as Task, Poll, ready},
};

use opentelemetry::{Context, context::FutureExt as _};
use rocket::{
    Catcher, Data, Response, Route, catcher,
    fairing::{Fairing, Info, Kind},
    http::{HeaderMap, Method, Status},
    response::Body,
    route,
    tokio::io::{AsyncRead, ReadBuf},
};

use tracing::level_filters::LevelFilter;

use super::{ErrorType, Request, ServerSpan};
use crate::propagation::headers::{Carrier, Headers};

/// Rocket tells each request in several lines, headers included, where a span and its log lines say it once.
pub(crate) const QUIET: &[(&str, LevelFilter)] = &[("rocket::", LevelFilter::OFF)];

/// The handlers of `routes`, each inside its request's span.
#[must_use]
pub fn traced_routes(mut routes: Vec<Route>) -> Vec<Route> {
    for route in &mut routes {
        route.handler = Box::new(Traced(route.handler.clone()));
    }
    routes
}

/// The handlers of `catchers`, each inside its request's span.
#[must_use]
pub fn traced_catchers(mut catchers: Vec<Catcher>) -> Vec<Catcher> {
    for catcher in &mut catchers {
        catcher.handler = Box::new(Traced(catcher.handler.clone()));
    }
    catchers
}

/// Says why the response to `request` fails: what is an extension of the response elsewhere. The first one counts.
pub fn fail(request: &rocket::Request<'_>, error: ErrorType) {
    request.local_cache(|| Failure(Some(error)));
}

/// The routes that have the request's path, whatever their method.
pub fn routes_of_path<'r>(request: &'r rocket::Request<'_>) -> impl Iterator<Item = &'r Route> {
    let path = request.uri().path();
    let routes = request.rocket().routes();
    routes.filter(move |route| is_of(path.as_str(), route.uri.path()))
}

/// Gives each response to its span.
#[derive(Debug, Clone, Copy, Default)]
pub struct TelemetryFairing;

#[rocket::async_trait]
impl Fairing for TelemetryFairing {
    fn info(&self) -> Info {
        Info {
            name: "Telemetry",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, request: &mut rocket::Request<'_>, _: &mut Data<'_>) {
        let method = request.method();
        request.local_cache(|| Arrived(Some(method)));
    }

    async fn on_response<'r>(&self, request: &'r rocket::Request<'_>, response: &mut Response<'r>) {
        finish(request, response).await;
    }
}

#[derive(Clone)]
struct Traced<H>(H);

#[rocket::async_trait]
impl route::Handler for Traced<Box<dyn route::Handler>> {
    async fn handle<'r>(
        &self,
        request: &'r rocket::Request<'_>,
        data: Data<'r>,
    ) -> route::Outcome<'r> {
        let context = context(request);
        let handled = async { self.0.handle(request, data).await };
        handled.with_context(context).await
    }
}

#[rocket::async_trait]
impl catcher::Handler for Traced<Box<dyn catcher::Handler>> {
    async fn handle<'r>(
        &self,
        status: Status,
        request: &'r rocket::Request<'_>,
    ) -> catcher::Result<'r> {
        let context = context(request);
        let handled = async { self.0.handle(status, request).await };
        let mut response = handled.with_context(context).await?;
        // What Rocket refuses before it dispatches, such as a method that it does not know, no fairing sees.
        if arrived(request).is_none() {
            finish(request, &mut response).await;
        }
        Ok(response)
    }
}

/// The method of a request that fairings have seen: later, Rocket makes GET of a HEAD that has no route of its own.
struct Arrived(Option<Method>);

fn arrived(request: &rocket::Request<'_>) -> Option<Method> {
    request.local_cache(|| Arrived(None)).0
}

struct Failure(Option<ErrorType>);

/// The request's span, from its first handler until the response is on its way. Begun when it is first asked for.
struct Slot(Mutex<Option<ServerSpan>>);

fn with_span<T>(
    request: &rocket::Request<'_>,
    what: impl FnOnce(&mut Option<ServerSpan>) -> T,
) -> T {
    let slot = request.local_cache(|| Slot(Mutex::new(start(request))));
    what(&mut slot.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What a handler runs in.
fn context(request: &rocket::Request<'_>) -> Context {
    with_span(request, |span| {
        span.as_ref().map(|span| span.context().clone())
    })
    .unwrap_or_default()
}

fn start(request: &rocket::Request<'_>) -> Option<ServerSpan> {
    let uri = request.uri();
    let route = request
        .route()
        .or_else(|| routes_of_path(request).min_by_key(|route| route.rank));
    let host = request.host();
    let host_header = request.headers().get_one("host");
    // Rocket does not tell the version. A host that no header names comes from HTTP/2's `:authority`.
    let http2 = host.is_some() && host_header.is_none();
    let tls = request.rocket().config().tls_enabled();
    ServerSpan::start(&Request {
        method: match (arrived(request), request.method()) {
            (Some(method), _) => method.as_str(),
            // What Rocket makes of a method that it does not know; its name is gone.
            (None, Method::Get) if request.route().is_none() => "",
            (None, method) => method.as_str(),
        },
        scheme: if tls { "https" } else { "http" },
        path: uri.path().as_str(),
        query: uri.query().map(|query| query.as_str()),
        route: route.map(|route| pattern(route.uri.path())).as_deref(),
        protocol_version: if http2 { "2" } else { "1.1" },
        authority: host_header.or(host.map(ToString::to_string).as_deref()),
        peer: request.remote(),
        headers: &Carrier(request.headers()),
    })
}

/// Whether `path` is one of `pattern`'s, which may hold `<name>` for a segment and end with `<name..>` for any rest.
fn is_of(path: &str, pattern: &str) -> bool {
    let mut path = path.split('/').filter(|segment| !segment.is_empty());
    let mut pattern = pattern.split('/').filter(|segment| !segment.is_empty());
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(rest), _) if rest.ends_with("..>") => return true,
            (Some(wanted), Some(found)) if wanted == found || wanted.starts_with('<') => {}
            _ => return false,
        }
    }
}

/// `/users/<id>` as the conventions write it: `/users/{id}`; `<rest..>` is `{*rest}`.
fn pattern(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let name = segment
            .strip_prefix('<')
            .map(|name| name.trim_end_matches('>'));
        match name.map(|name| name.strip_suffix("..").ok_or(name)) {
            Some(Ok(rest)) => format!("{{*{rest}}}"),
            Some(Err(name)) => format!("{{{name}}}"),
            None => segment.to_owned(),
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

impl Headers for HeaderMap<'_> {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.get(name).map(str::as_bytes)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().filter_map(|header| match header.name.string {
            Cow::Borrowed(name) => Some(name),
            Cow::Owned(_) => None,
        })
    }
}

/// Tells the response's span and headers of each other. The span ends when the body is under way, a stream's at its end.
async fn finish<'r>(request: &'r rocket::Request<'_>, response: &mut Response<'r>) {
    let Some(mut span) = with_span(request, Option::take) else {
        return;
    };
    for (name, value) in span.response_headers() {
        let value = value.to_str().unwrap_or_default().to_owned();
        response.set_raw_header(name.as_str().to_owned(), value);
    }
    let status = response.status();
    let error = request.local_cache(|| Failure(None)).0;
    if arrived(request) == Some(Method::Head)
        || [Status::NoContent, Status::NotModified].contains(&status)
        || response.body().is_none()
    {
        // Rocket takes the body away without looking at it.
        span.respond(status.code, error);
        return;
    }
    let size = response.body_mut().size().await;
    if let Some(size) = size {
        response.set_raw_header("content-length", size.to_string());
    }
    let inner = response.body_mut().take();
    let chunk = inner.max_chunk_size();
    response.set_streamed_body(Sending {
        inner,
        head: Some((status.code, error)),
        span: Some(span),
        streamed: size.is_none(),
    });
    response.set_max_chunk_size(chunk);
}

/// A response's body. Rocket lets a handler run on when its client has gone, and then drops the response unread: only a
/// body that is asked for has had a head before it.
struct Sending<'r> {
    inner: Body<'r>,
    /// Status and error, until the head is sent.
    head: Option<(u16, Option<ErrorType>)>,
    span: Option<ServerSpan>,
    streamed: bool,
}

impl AsyncRead for Sending<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let (Some((status, error)), Some(span)) = (this.head.take(), &mut this.span) {
            span.respond(status, error);
            // A body in one piece is as good as sent; the span of a stream lasts as long as the stream
            // (https://github.com/tensorzero/tensorzero/pull/2191).
            if !this.streamed {
                this.span = None;
            }
        }
        let attach = |span: &ServerSpan| span.context().clone().attach();
        let entered = this.span.as_ref().map(attach);
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut this.inner).poll_read(task, buffer));
        drop(entered);
        if read.is_err() {
            if let Some(mut span) = this.span.take() {
                span.body_failed();
            }
        } else if buffer.filled().len() == before {
            this.span = None;
        }
        Poll::Ready(read)
    }
}

#[cfg(test)]
mod tests {
    use rocket::{
        http::Header,
        local::asynchronous::{Client, LocalResponse},
        response::stream::ByteStream,
        routes,
        tokio::io::AsyncReadExt as _,
    };

    use super::*;
    use crate::testing::{Trace, attribute};

    /// A body of unknown length: two chunks, one byte each.
    #[rocket::get("/stream/<_>")]
    fn stream() -> ByteStream![Vec<u8>] {
        ByteStream! { yield vec![1]; yield vec![2]; }
    }

    async fn client() -> Client {
        let rocket = rocket::build()
            .mount("/", traced_routes(routes![stream]))
            .attach(TelemetryFairing);
        Client::untracked(rocket).await.expect("a valid rocket")
    }

    async fn answer<'c>(client: &'c Client, method: Method, trace: &Trace) -> LocalResponse<'c> {
        let request = client.req(method, "/stream/1");
        let parent = Header::new("traceparent", trace.traceparent());
        request.header(parent).dispatch().await
    }

    #[rocket::async_test]
    async fn the_span_of_a_streamed_response_lasts_as_long_as_its_body() {
        let (trace, client) = (Trace::new(), client().await);
        let mut answer = answer(&client, Method::Get, &trace).await;
        let traceresponse = answer.headers().get_one("traceresponse").map(str::len);
        assert_eq!(traceresponse, Some(55));

        for _ in 0..2 {
            assert!(answer.read_u8().await.is_ok());
            assert!(trace.spans().is_empty(), "the span ended before the body");
        }
        assert!(answer.read_u8().await.is_err());

        assert_eq!(trace.tree().await, "SERVER GET /stream/{_}\n");
        let status = attribute(&trace.spans()[0], "http.response.status_code");
        assert_eq!(status.as_deref(), Some("200"));
    }

    #[rocket::async_test]
    async fn a_stream_that_nobody_reads_any_more_ends_its_span() {
        let (trace, client) = (Trace::new(), client().await);
        let mut answer = answer(&client, Method::Get, &trace).await;
        assert!(answer.read_u8().await.is_ok());
        drop(answer);
        assert_eq!(trace.tree().await, "SERVER GET /stream/{_}\n");
    }

    #[rocket::async_test]
    async fn a_response_whose_client_has_gone_is_cancelled() {
        let (trace, client) = (Trace::new(), client().await);
        drop(answer(&client, Method::Get, &trace).await);
        assert_eq!(
            trace.tree().await,
            "SERVER GET /stream/{_} ERROR cancelled\n"
        );
        let status = attribute(&trace.spans()[0], "http.response.status_code");
        assert_eq!(status, None);
    }

    #[rocket::async_test]
    async fn neither_head_nor_a_method_without_a_route_is_taken_for_another() {
        let client = client().await;
        for method in [Method::Head, Method::Put] {
            let trace = Trace::new();
            let answer = answer(&client, method, &trace).await;
            drop(answer.into_bytes().await);
            let expected = format!("SERVER {method} /stream/{{_}}\n");
            assert_eq!(trace.tree().await, expected);
        }
    }

    #[test]
    fn patterns_are_written_as_the_conventions_have_them() {
        assert_eq!(pattern("/users/<id>/<rest..>"), "/users/{id}/{*rest}");
        assert!(is_of("/users/1", "/users/<id>"));
        assert!(is_of("/files", "/files/<path..>"));
        assert!(!is_of("/users", "/users/<id>"));
        assert!(!is_of("/users/1/2", "/users/<id>"));
    }
}

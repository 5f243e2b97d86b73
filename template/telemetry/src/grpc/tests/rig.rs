//! A service that does as it is told, and the middlewares around it.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context as Task, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body::{Body, Frame};
use opentelemetry::trace::FutureExt as _;
use tonic::Status;
use tower_layer::Layer as _;
use tower_service::Service;

use super::super::{CallBody, Client, ServerLayer};
use crate::testing::Trace;

pub(super) const METHOD: &str = "/a.v1.Service/Do";
const METHODS: &[&str] = &["a.v1.Service/Do"];
/// Of the server, and of the client.
const LIMIT: Duration = Duration::from_millis(50);

/// What the service does with a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// A message, and the status behind it.
    Stream { status: u16 },
    /// A message, and never an end.
    EndlessStream,
    /// The status in the head.
    OnlyHead { status: u16 },
    /// No gRPC.
    Http { status: u16 },
    /// Never answers.
    Hang,
    /// Cannot be reached.
    Refuse,
    /// Calls `a.v1.Service/Next`, and answers with the headers that it got.
    CallOn,
}

pub(super) struct Frames {
    frames: VecDeque<Frame<io::Cursor<Vec<u8>>>>,
    endless: bool,
}

impl Body for Frames {
    type Data = io::Cursor<Vec<u8>>;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<io::Result<Frame<Self::Data>>>> {
        match self.frames.pop_front() {
            None if self.endless => Poll::Pending,
            frame => Poll::Ready(frame.map(Ok)),
        }
    }
}

#[derive(Debug, Clone)]
struct Does {
    act: Act,
    got: Arc<Mutex<HeaderMap>>,
}

impl Does {
    fn new(act: Act) -> Self {
        Self {
            act,
            got: Arc::default(),
        }
    }

    async fn answer(act: Act) -> Result<Response<Frames>, Status> {
        let status = |code: u16| {
            let value = HeaderValue::from(code);
            HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), value)])
        };
        let message = Frame::data(io::Cursor::new(vec![0; 5]));
        let mut response = Response::new(Frames {
            frames: VecDeque::new(),
            endless: false,
        });
        match act {
            Act::Stream { status: code } => {
                let frames = [message, Frame::trailers(status(code))];
                response.body_mut().frames.extend(frames);
            }
            Act::EndlessStream => {
                response.body_mut().frames.push_back(message);
                response.body_mut().endless = true;
            }
            Act::OnlyHead { status: code } => response.headers_mut().extend(status(code)),
            Act::Http { status } => {
                *response.status_mut() = status.try_into().expect("an HTTP status");
            }
            Act::Hang => pending().await,
            Act::Refuse => return Err(Status::unavailable("nobody listens")),
            Act::CallOn => {
                let next = Does::new(Act::Stream { status: 0 });
                let got = next.got.clone();
                let mut next = Client::new(next, &Uri::from_static("http://next:1"), LIMIT);
                let request = Request::get("/a.v1.Service/Next").body(());
                let answer = next.call(request.expect("a valid request")).await?;
                frames(answer).await;
                *response.headers_mut() = got.lock().expect("no panic").clone();
                response.headers_mut().extend(status(0));
            }
        }
        Ok(response)
    }
}

impl Service<Request<()>> for Does {
    type Response = Response<Frames>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Frames>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        *self.got.lock().expect("no panic") = request.headers().clone();
        Box::pin(Self::answer(self.act))
    }
}

/// The answer to a call that the service gets.
pub(super) async fn serve(trace: &Trace, path: &str, act: Act) -> Response<CallBody<Frames>> {
    serve_within(trace, path, act, None).await
}

/// As [`serve`], with the caller's `grpc-timeout`.
pub(super) async fn serve_within(
    trace: &Trace,
    path: &str,
    act: Act,
    timeout: Option<&str>,
) -> Response<CallBody<Frames>> {
    let mut request = Request::get(path).header("traceparent", trace.traceparent());
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let request = request
        .header("baggage", "of=the caller")
        .body(())
        .expect("a valid request");
    let mut server = ServerLayer::new(METHODS, LIMIT).layer(Does::new(act));
    server.call(request).await.expect("an answer")
}

/// What a service that is called with these headers sends to whom it calls meanwhile.
pub(super) async fn passed_on(headers: &[(&'static str, &str)]) -> HeaderMap {
    let _ = Trace::new(); // telemetry has begun
    let mut request = Request::get(METHOD);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a valid request");
    let mut server = ServerLayer::new(METHODS, LIMIT).layer(Does::new(Act::CallOn));
    answer(server.call(request).await.expect("an answer"))
}

/// The answer to a call that is made, and the headers that were sent.
pub(super) async fn client(
    trace: &Trace,
    act: Act,
    url: &'static str,
) -> (Result<Response<CallBody<Frames>>, Status>, HeaderMap) {
    let does = Does::new(act);
    let got = does.got.clone();
    let mut client = Client::new(does, &Uri::from_static(url), LIMIT);
    let call = async move {
        let request = Request::get(METHOD).body(()).expect("a valid request");
        client.call(request).await
    };
    let answer = call.with_context(trace.context()).await;
    let sent = got.lock().expect("no panic").clone();
    (answer, sent)
}

/// Reads a response to its end, and gives its trailers.
pub(super) async fn frames(response: Response<CallBody<Frames>>) -> HeaderMap {
    let mut body = Box::pin(response.into_body());
    let mut trailers = HeaderMap::new();
    while let Some(frame) = std::future::poll_fn(|task| body.as_mut().poll_frame(task)).await {
        if let Ok(last) = frame.expect("a frame").into_trailers() {
            trailers = last;
        }
    }
    trailers
}

/// The head of a response.
pub(super) fn answer(response: Response<CallBody<Frames>>) -> HeaderMap {
    response.into_parts().0.headers
}

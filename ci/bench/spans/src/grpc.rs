//! Calls of gRPC, served and made, to a service that says OK in its trailers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt as _, Full};
use telemetry::grpc::{Client, ServerLayer};
use tower::{Layer as _, Service, service_fn};

use crate::{Form, Result, Work, repeat};

const METHOD: &str = "/a.v1.Service/Do";
const METHODS: &[&str] = &["a.v1.Service/Do"];
const LIMIT: Duration = Duration::from_secs(60);

type Trailers = Ready<Option<std::result::Result<HeaderMap, Infallible>>>;
type Answer = Response<WithTrailers<Full<Bytes>, Trailers>>;

fn answer(_: Request<()>) -> Ready<std::result::Result<Answer, Infallible>> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let body = message.with_trailers(ready(Some(Ok(trailers))));
    ready(Ok(Response::new(body)))
}

pub(crate) async fn server(work: Work) -> Result<Duration> {
    let inner = service_fn(answer);
    Ok(match work.form {
        Form::Bare => calls(inner, work.count).await,
        _ => calls(ServerLayer::new(METHODS, LIMIT).layer(inner), work.count).await,
    })
}

pub(crate) async fn client(work: Work) -> Result<Duration> {
    let (inner, url) = (
        service_fn(answer),
        Uri::from_static("http://127.0.0.1:8080"),
    );
    Ok(match work.form {
        Form::Bare => calls(inner, work.count).await,
        _ => calls(Client::new(inner, &url, LIMIT), work.count).await,
    })
}

async fn calls<S, B>(mut service: S, count: u64) -> Duration
where
    S: Service<Request<()>, Response = Response<B>>,
    B: http_body_util::BodyExt,
{
    repeat(count, |_| {
        let call = service.call(Request::post(METHOD).body(()).expect("a valid request"));
        async move {
            let answer = call.await.ok()?;
            answer.into_body().collect().await.ok()
        }
    })
    .await
}

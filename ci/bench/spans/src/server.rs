//! An axum server, called without a connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::Request;
use telemetry::http_server::TelemetryLayer;
use tower::Service as _;

use crate::{Form, Result, Work, repeat};

pub(crate) async fn run(work: Work, called: bool) -> Result<Duration> {
    let router = Router::new().route("/users/{id}", get(|| async { "{}" }));
    let mut router = layered(router, work.form);
    let caller = called.then_some(match work.form {
        Form::Unsampled => "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        Form::Bare | Form::Sampled => "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let took = repeat(work.count, |_| router.call(request("/users/1", caller))).await;
    Ok(took)
}

pub(crate) fn layered(router: Router, form: Form) -> Router {
    match form {
        Form::Bare => router,
        Form::Sampled | Form::Unsampled => router.layer(TelemetryLayer),
    }
}

/// As a client sends it.
pub(crate) fn request(path: &str, caller: Option<&'static str>) -> Request<Body> {
    let mut request = Request::get(path)
        .header("host", "127.0.0.1:8080")
        .header("user-agent", "bench")
        .extension(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000))));
    if let Some(caller) = caller {
        request = request.header("traceparent", caller);
    }
    request.body(Body::empty()).expect("a valid request")
}

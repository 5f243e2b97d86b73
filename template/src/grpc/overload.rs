//! Calls beyond those that can be served are refused with UNAVAILABLE, which tells clients to try again.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::overload::Gate;

/// Not for the health service: an overloaded server is busy, not broken.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Lets in as many calls as the gate does.
#[derive(Debug, Clone)]
pub(super) struct Shed(pub(super) Gate);

impl<S> Layer<S> for Shed {
    type Service = Shedding<S>;

    fn layer(&self, inner: S) -> Shedding<S> {
        let gate = self.0.clone();
        Shedding { inner, gate }
    }
}

/// The service that [`Shed`] makes.
#[derive(Debug, Clone)]
pub(super) struct Shedding<S> {
    inner: S,
    gate: Gate,
}

impl<S, B> Service<Request<B>> for Shedding<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with(HEALTH) {
            return Box::pin(self.inner.call(request));
        }
        match self.gate.enter() {
            Ok(admitted) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(admitted);
                    answer
                })
            }
            Err(refused) => {
                let answer = Status::from(refused).into_http();
                Box::pin(async { Ok(answer) })
            }
        }
    }
}

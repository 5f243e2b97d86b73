//! Calls that are served: a layer around a tonic server.

use std::{
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{
    NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, RPC_METHOD_ORIGINAL, SERVER_ADDRESS, SERVER_PORT,
};
use tokio::time::Instant;
use tonic::transport::server::TcpConnectInfo;

use super::{
    CallFuture,
    call::Call,
    deadline::{self, Deadline},
    method::Served,
};
use crate::{
    guard,
    http_server::recent,
    propagation::{Caller, headers::Carrier},
};

/// Asked all the time, by machines and tools, and no work of the service.
const UNSEEN: [&str; 2] = ["grpc.health.", "grpc.reflection."];

/// Makes a server span of each call, and answers DEADLINE_EXCEEDED for one that takes too long. It belongs outermost, so
/// that it sees the answer to a panic too.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    methods: Arc<Served>,
    limit: Duration,
}

impl ServerLayer {
    /// `methods` are those that are served, as `package.Service/Method`: the name of any other is a caller's invention,
    /// and is reported as `_OTHER`. `limit` is how long a method may take until it answers, whatever its caller allows.
    #[must_use]
    pub fn new(methods: &'static [&'static str], limit: Duration) -> Self {
        let methods = Arc::new(Served::new(methods));
        Self { methods, limit }
    }

    fn begin(&self, parts: &http::request::Parts, now: Instant) -> (Call, Option<Instant>) {
        let deadline = deadline::read(&parts.headers).and_then(|allowed| now.checked_add(allowed));
        // The deadline is for the whole call, a stream included; the limit is for getting an answer.
        let limit = now.checked_add(self.limit);
        let until = [deadline, limit].into_iter().flatten().min();
        let path = parts.uri.path().trim_start_matches('/');
        if UNSEEN.iter().any(|prefix| path.starts_with(prefix)) {
            let context = within(Context::new(), until);
            return (Call::unseen(Some(context), deadline), until);
        }
        let Caller { parent, links } = Caller::of(&Carrier(&parts.headers));
        let parent = within(parent, until);
        if !guard::enabled() {
            // What the caller sent passes through.
            return (Call::unseen(Some(parent), deadline), until);
        }
        let (method, is_known) = self.methods.get(path);
        let call = Call::serve(method, parent, links, deadline, |attributes| {
            if !is_known {
                attributes.push(KeyValue::new(RPC_METHOD_ORIGINAL, path.to_owned()));
            }
            describe(attributes, parts);
        });
        (call, until)
    }
}

/// The context of work that must be done by then: calls made meanwhile inherit the deadline.
fn within(context: Context, until: Option<Instant>) -> Context {
    match until {
        Some(until) => context.with_value(Deadline(until)),
        None => context,
    }
}

/// Who was called, and who called.
fn describe(attributes: &mut Vec<KeyValue>, parts: &http::request::Parts) {
    if let Some(authority) = parts.uri.authority() {
        // `[::1]` is how an authority writes an address.
        let host = authority.host().trim_matches(['[', ']']);
        attributes.push(KeyValue::new(SERVER_ADDRESS, recent::text(host)));
        if let Some(port) = authority.port_u16() {
            attributes.push(KeyValue::new(SERVER_PORT, i64::from(port)));
        }
    }
    let connection = parts.extensions.get::<TcpConnectInfo>();
    if let Some(peer) = connection.and_then(TcpConnectInfo::remote_addr) {
        let address = recent::address(peer.ip());
        attributes.push(KeyValue::new(NETWORK_PEER_ADDRESS, address));
        attributes.push(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())));
    }
}

impl<S> tower_layer::Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`ServerLayer`] makes.
#[derive(Debug, Clone)]
pub struct Server<S> {
    inner: S,
    layer: ServerLayer,
}

impl<S, B, R> tower_service::Service<http::Request<B>> for Server<S>
where
    S: tower_service::Service<http::Request<B>, Response = http::Response<R>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<super::CallBody<R>>;
    type Error = tonic::Status;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), tonic::Status>> {
        let ready = self.inner.poll_ready(task);
        ready.map_err(|error| tonic::Status::from_error(error.into()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let (call, until) = self.layer.begin(&parts, Instant::now());
        let entered = call.context().cloned().map(Context::attach);
        let inner = self.inner.call(http::Request::from_parts(parts, body));
        drop(entered);
        CallFuture::new(inner, call, until)
    }
}

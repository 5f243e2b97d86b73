//! Calls that are served: a layer around a tonic server.

use std::{
    task::{Context as Task, Poll},
    time::Duration,
};

use opentelemetry::{Context, KeyValue, StringValue};
use opentelemetry_semantic_conventions::attribute::{
    NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, RPC_METHOD_ORIGINAL, SERVER_ADDRESS, SERVER_PORT,
};
use tokio::time::Instant;
use tonic::transport::server::TcpConnectInfo;

use super::{
    CallFuture,
    call::{Call, Opening, Side},
    deadline::{self, Deadline},
};
use crate::propagation::{Caller, headers::Carrier};

/// Asked all the time, by machines and tools, and no work of the service.
const UNSEEN: [&str; 2] = ["grpc.health.", "grpc.reflection."];

/// Makes a server span of each call, and answers DEADLINE_EXCEEDED for one that takes too long. It belongs outermost, so
/// that it sees the answer to a panic too.
#[derive(Debug, Clone, Copy)]
pub struct ServerLayer {
    methods: &'static [&'static str],
    limit: Duration,
}

impl ServerLayer {
    /// `methods` are those that are served, as `package.Service/Method`: the name of any other is a caller's invention,
    /// and is reported as `_OTHER`. `limit` is how long a method may take until it answers, whatever its caller allows.
    #[must_use]
    pub fn new(methods: &'static [&'static str], limit: Duration) -> Self {
        Self { methods, limit }
    }

    fn begin(self, parts: &http::request::Parts, now: Instant) -> (Call, Option<Instant>) {
        let deadline = deadline::read(&parts.headers).and_then(|allowed| now.checked_add(allowed));
        // The deadline is for the whole call, a stream included; the limit is for getting an answer.
        let limit = now.checked_add(self.limit);
        let until = [deadline, limit].into_iter().flatten().min();
        let path = parts.uri.path().trim_start_matches('/');
        if UNSEEN.iter().any(|prefix| path.starts_with(prefix)) {
            return (Call::unseen(within(Context::new(), until), deadline), until);
        }
        let Caller { parent, links } = Caller::of(&Carrier(&parts.headers));
        if !crate::guard::enabled() {
            // What the caller sent passes through.
            return (Call::unseen(within(parent, until), deadline), until);
        }
        let method = self.methods.iter().copied().find(|known| *known == path);
        let opening = Opening {
            side: Side::Server,
            method: method.map(StringValue::from),
            shared: Vec::new(),
            of_span: of_span(parts, path, method.is_some()),
            parent: &within(parent, until),
            links,
            peer: None,
        };
        (Call::begin(opening, deadline), until)
    }
}

/// The context of work that must be done by then: calls made meanwhile inherit the deadline.
fn within(context: Context, until: Option<Instant>) -> Context {
    match until {
        Some(until) => context.with_value(Deadline(until)),
        None => context,
    }
}

fn of_span(parts: &http::request::Parts, path: &str, is_known: bool) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(5);
    let mut text = |key: &'static str, value: &str| {
        attributes.push(KeyValue::new(key, StringValue::from(value.to_owned())));
    };
    if !is_known {
        text(RPC_METHOD_ORIGINAL, path);
    }
    let authority = parts.uri.authority();
    if let Some(authority) = authority {
        // `[::1]` is how an authority writes an address.
        let host = authority.host().trim_matches(['[', ']']);
        text(SERVER_ADDRESS, host);
    }
    let peer = parts
        .extensions
        .get::<TcpConnectInfo>()
        .and_then(TcpConnectInfo::remote_addr);
    if let Some(peer) = peer {
        text(NETWORK_PEER_ADDRESS, &peer.ip().to_string());
    }
    let port = |port: u16| i64::from(port);
    attributes.extend(peer.map(|peer| KeyValue::new(NETWORK_PEER_PORT, port(peer.port()))));
    let addressed = authority.and_then(http::uri::Authority::port_u16);
    attributes.extend(addressed.map(|number| KeyValue::new(SERVER_PORT, port(number))));
    attributes
}

impl<S> tower_layer::Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server {
            inner,
            layer: *self,
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
        let entered = call.context().clone().attach();
        let inner = self.inner.call(http::Request::from_parts(parts, body));
        drop(entered);
        CallFuture::new(inner, call, until)
    }
}

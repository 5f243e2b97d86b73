//! Calls that are made: a service around a tonic channel.

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Uri};
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{
    NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, SERVER_ADDRESS, SERVER_PORT,
};
use tokio::time::Instant;

use super::{CallBody, CallFuture, call::Call, deadline, method::Asked};
use crate::{
    guard,
    trusted_hosts::{self, TrustedHosts},
};

/// A channel whose calls are traced, and never wait longer than they may:
///
/// ```no_run
/// # fn example(url: http::Uri, channel: tonic::transport::Channel) {
/// let channel = telemetry::grpc::Client::new(channel, &url, std::time::Duration::from_secs(5));
/// // let client = HelloClient::new(channel);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client<S> {
    inner: S,
    callee: Arc<Callee>,
}

#[derive(Debug)]
struct Callee {
    methods: Asked,
    trusted: bool,
    timeout: Duration,
    /// What most callees are told.
    timeout_header: HeaderValue,
}

impl<S> Client<S> {
    /// `url` is where `channel` leads. A call takes at most `timeout`, its own `grpc-timeout`, and what is left of the
    /// time of the call that is being served, whichever is least. Trusted hosts are read from `TELEMETRY_TRUSTED_HOSTS`.
    #[must_use]
    pub fn new(channel: S, url: &Uri, timeout: Duration) -> Self {
        // `[::1]` is how a URL writes an address.
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let https = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        let (address, port) = (Arc::<str>::from(host), i64::from(port));
        // Where the URL holds an address, that is whom the channel talks to. It does not tell what a name leads to.
        let peer = host.parse::<IpAddr>().is_ok().then(|| {
            [
                KeyValue::new(NETWORK_PEER_ADDRESS, address.clone()),
                KeyValue::new(NETWORK_PEER_PORT, port),
            ]
        });
        let server = [
            KeyValue::new(SERVER_ADDRESS, address),
            KeyValue::new(SERVER_PORT, port),
        ];
        let callee = Callee {
            methods: Asked::new(server.into(), peer.into_iter().flatten().collect()),
            trusted: TrustedHosts::from_env().contains(host),
            timeout,
            timeout_header: deadline::header(timeout),
        };
        Self {
            inner: channel,
            callee: Arc::new(callee),
        }
    }
}

impl Callee {
    fn begin(&self, path: &str, headers: &mut HeaderMap) -> (Call, Option<Instant>) {
        let now = Instant::now();
        let own = deadline::read(headers).map_or(self.timeout, |own| own.min(self.timeout));
        let context = Context::current();
        let until = [now.checked_add(own), deadline::of(&context)];
        let until = until.into_iter().flatten().min();
        let call = if guard::enabled() {
            Call::make(self.methods.get(path), &context, until)
        } else {
            Call::unseen(None, until)
        };
        let context = call.context().unwrap_or(&context);
        trusted_hosts::inject(context, headers, self.trusted);
        if let Some(until) = until {
            let left = until.saturating_duration_since(now);
            let said = if left == self.timeout {
                self.timeout_header.clone()
            } else {
                deadline::header(left)
            };
            headers.insert(deadline::HEADER.clone(), said);
        }
        (call, until)
    }
}

impl<S, B, R> tower_service::Service<http::Request<B>> for Client<S>
where
    S: tower_service::Service<http::Request<B>, Response = http::Response<R>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<CallBody<R>>;
    type Error = tonic::Status;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), tonic::Status>> {
        let ready = self.inner.poll_ready(task);
        ready.map_err(|error| tonic::Status::from_error(error.into()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let (call, until) = self.callee.begin(parts.uri.path(), &mut parts.headers);
        let entered = call.context().cloned().map(Context::attach);
        let inner = self.inner.call(http::Request::from_parts(parts, body));
        drop(entered);
        CallFuture::new(inner, call, until)
    }
}

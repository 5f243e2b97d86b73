//! Calls that are made: a service around a tonic channel.

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use http::{HeaderMap, Uri};
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{SERVER_ADDRESS, SERVER_PORT};
use tokio::time::Instant;

use super::{
    CallBody, CallFuture,
    call::{Call, Opening, Side},
    deadline,
};
use crate::trusted_hosts::{self, TrustedHosts};

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
    attributes: Vec<KeyValue>,
    /// Where the URL holds an address, that is whom the channel talks to. It does not tell what a name leads to.
    peer: Option<(IpAddr, u16)>,
    trusted: bool,
    timeout: Duration,
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
        let attributes = vec![
            KeyValue::new(SERVER_ADDRESS, Arc::<str>::from(host)),
            KeyValue::new(SERVER_PORT, i64::from(port)),
        ];
        let callee = Callee {
            attributes,
            peer: host.parse().ok().map(|address| (address, port)),
            trusted: TrustedHosts::from_env().contains(host),
            timeout,
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
        let until = [now.checked_add(own), deadline::current()];
        let until = until.into_iter().flatten().min();
        let context = Context::current();
        let call = if crate::guard::enabled() {
            let opening = Opening {
                side: Side::Client,
                // By our own code, so it is one of few.
                method: Some(path.trim_start_matches('/').to_owned().into()),
                shared: self.attributes.clone(),
                of_span: Vec::new(),
                parent: &context,
                links: Vec::new(),
                peer: self.peer,
            };
            Call::begin(opening, until)
        } else {
            Call::unseen(context, until)
        };
        trusted_hosts::inject(call.context(), headers, self.trusted);
        if let Some(until) = until {
            deadline::write(headers, until.saturating_duration_since(now));
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
        let entered = call.context().clone().attach();
        let inner = self.inner.call(http::Request::from_parts(parts, body));
        drop(entered);
        CallFuture::new(inner, call, until)
    }
}

//! Connections whose peer is known, and that can be closed while a thread waits for them. ureq itself tells neither.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::Uri;
use ureq::{
    Error,
    config::Config,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{
            Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout,
            RustlsConnector, TcpConnector, Transport, time::Duration,
        },
    },
};

use super::blocking::Socket;

/// ureq's own chain, with another TCP.
pub(super) fn connector() -> impl Connector {
    ().chain(ConnectProxyConnector::default())
        .chain(Tcp::default())
        .chain(RustlsConnector::default())
}

/// ureq's resolver, but a name that cannot be resolved is not just any I/O error.
#[derive(Debug, Default)]
pub(super) struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let resolved = self.0.resolve(uri, config, timeout);
        resolved.map_err(|error| match error {
            Error::Io(_) => Error::HostNotFound,
            error => error,
        })
    }
}

#[derive(Debug, Default)]
struct Tcp(TcpConnector);

type TcpTransport = <TcpConnector as Connector>::Out;

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, Known>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // A proxy has made the connection.
        if let Some(made) = chained {
            return Ok(Some(Either::A(made)));
        }
        let known = self.to_one_of(details)?;
        Ok(known.map(Either::B))
    }
}

impl Tcp {
    /// One address after the other, which is the only way to know which one it was. As in ureq, each but the last gets
    /// half of the time that is left.
    fn to_one_of(&self, details: &ConnectionDetails<'_>) -> Result<Option<Known>, Error> {
        let (begun, mut failure) = (Instant::now(), Error::ConnectionFailed);
        let mut addresses = details.addrs.iter().peekable();
        while let Some(address) = addresses.next() {
            let mut timeout = details.timeout;
            if let Duration::Exact(whole) = timeout.after {
                let left = whole.saturating_sub(begun.elapsed());
                let is_last = addresses.peek().is_none();
                timeout.after = if is_last { left } else { left / 2 }.into();
            }
            match self.to(*address, timeout, details) {
                Ok(known) => return Ok(known),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn to(
        &self,
        address: SocketAddr,
        timeout: NextTimeout,
        details: &ConnectionDetails<'_>,
    ) -> Result<Option<Known>, Error> {
        let mut addrs = details.resolver.empty();
        addrs.push(address);
        let handle = Arc::new(OnceLock::new());
        let (keep, register) = (handle.clone(), details.register_shutdown.clone());
        let transport = self.0.connect(
            &ConnectionDetails {
                uri: details.uri,
                addrs,
                config: details.config,
                request_level: details.request_level,
                resolver: details.resolver,
                now: details.now,
                timeout,
                current_time: details.current_time.clone(),
                run_connector: details.run_connector.clone(),
                register_shutdown: Arc::new(move |handle| {
                    keep.get_or_init(|| handle.clone());
                    register(handle)
                }),
            },
            None,
        )?;
        Ok(transport.zip(handle.get()).map(|(transport, handle)| {
            let socket = Arc::new(Socket::new(handle.clone(), address));
            Known { transport, socket }
        }))
    }
}

/// A TCP connection that says when it is used.
#[derive(Debug)]
struct Known {
    transport: TcpTransport,
    socket: Arc<Socket>,
}

impl Transport for Known {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.socket.is_used()?;
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(timeout)
    }

    /// Asked before a connection of the pool is used again.
    fn is_open(&mut self) -> bool {
        self.socket.is_used().is_ok() && self.transport.is_open()
    }
}

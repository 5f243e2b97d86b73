//! The listening socket, closed as soon as the service is to stop.
//!
//! salvo's own acceptor keeps the port open until the last request has finished, so new callers would be let in and never
//! be answered. And salvo does not tell connections to stop on which nothing was sent yet: each would hold up the stop.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    pin::Pin,
    time::{Duration, Instant},
};

use salvo::{
    conn::{Accepted, Acceptor, ConnCtrl, Holding, tcp::TcpAcceptor},
    fuse::ArcFusePolicy,
};
use tokio::{net::TcpListener, sync::oneshot};

/// Accepts connections until told to stop.
pub(super) struct Listener {
    /// None once the port is closed.
    acceptor: Option<TcpAcceptor>,
    holdings: Vec<Holding>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    closed: Option<oneshot::Sender<()>>,
    /// The connections that may not have sent anything yet, oldest first.
    silent: VecDeque<(Instant, ConnCtrl)>,
    patience: Duration,
}

impl Listener {
    /// Listens until `stop`; the receiver hears of it once the port is closed. salvo waits `patience` for the first bytes.
    pub(super) fn new(
        listener: TcpListener,
        patience: Duration,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let acceptor = TcpAcceptor::try_from(listener)?;
        let (sender, closed) = oneshot::channel();
        let listener = Self {
            holdings: acceptor.holdings().to_vec(),
            acceptor: Some(acceptor),
            stop: Box::pin(stop),
            closed: Some(sender),
            silent: VecDeque::new(),
            patience,
        };
        Ok((listener, closed))
    }

    fn remember(&mut self, connection: &ConnCtrl) {
        let now = Instant::now();
        let is_over = |(since, _): &(Instant, _)| now.duration_since(*since) > self.patience;
        while self.silent.front().is_some_and(is_over) {
            self.silent.pop_front();
        }
        self.silent.push_back((now, connection.clone()));
    }

    fn close(&mut self) {
        self.acceptor = None;
        for (_, connection) in self.silent.drain(..) {
            connection.graceful_shutdown();
        }
        if let Some(closed) = self.closed.take() {
            // Nobody may be waiting for it.
            let _ = closed.send(());
        }
    }
}

impl Acceptor for Listener {
    type Coupler = <TcpAcceptor as Acceptor>::Coupler;
    type Stream = <TcpAcceptor as Acceptor>::Stream;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        let Some(acceptor) = &mut self.acceptor else {
            return pending().await;
        };
        tokio::select! {
            accepted = acceptor.accept(fuse_policy) => {
                let accepted = accepted?;
                self.remember(&accepted.conn_ctrl);
                Ok(accepted)
            }
            () = &mut self.stop => {
                self.close();
                pending().await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use salvo::{Router, Server};
    use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_connection_that_says_nothing_does_not_hold_up_the_stop() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("a bound port");
        let (stop, stopped) = oneshot::channel::<()>();
        let stop_signal = async {
            let _ = stopped.await;
        };
        let (listener, closed) = Listener::new(socket, SOON, stop_signal).expect("a bound port");
        let server = Server::new(listener);
        let handle = server.handle();
        let served = tokio::spawn(server.try_serve(Router::new()));
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        // Accepted once a later one was answered: there is one queue.
        let request = reqwest::Client::new().get(format!("http://{address}"));
        let answer = request.send().await;
        assert!(answer.is_ok(), "{answer:?}");

        stop.send(()).expect("the listener waits");
        closed.await.expect("the listener says so");
        assert!(TcpStream::connect(address).await.is_err(), "open still");
        handle.stop_graceful(None);

        let end = timeout(SOON, served).await.expect("an end soon");
        assert!(matches!(end, Ok(Ok(()))), "{end:?}");
        let read = timeout(SOON, silent.read(&mut [0])).await;
        assert!(matches!(read, Ok(Ok(0))), "{read:?}");
    }
}

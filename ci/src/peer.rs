//! Stands before the service's own gRPC port, which is known only once the service runs, while its `GRPC_PEER_URL` must be
//! known before. It forwards whatever comes, or nobody listens on it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A running forwarder. It stops when it is dropped.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    target: Option<SocketAddr>,
    connections: Arc<Mutex<JoinSet<()>>>,
    task: Option<JoinHandle<()>>,
    /// Until there is a target it holds the port, and callers wait.
    waiting: Option<TcpListener>,
}

impl Peer {
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("binding the peer's port")?;
        Ok(Self {
            address: listener.local_addr()?,
            target: None,
            connections: Arc::default(),
            task: None,
            waiting: Some(listener),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says where to forward to.
    pub fn forward_to(&mut self, target: SocketAddr) {
        self.target = Some(target);
        if let Some(listener) = self.waiting.take() {
            self.serve(listener, target);
        }
    }

    /// Listens or not. Without a target, nothing changes.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub async fn listen(&mut self, listens: bool) -> anyhow::Result<()> {
        let Some(target) = self.target else {
            return Ok(());
        };
        match self.task.take() {
            Some(task) if !listens => {
                task.abort();
                // Only when the task is gone is its listener closed; that it was cancelled is the point.
                let _ = task.await;
                let mut connections = std::mem::take(
                    &mut *self
                        .connections
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner),
                );
                connections.shutdown().await;
            }
            None if listens => {
                let listener = TcpListener::bind(self.address)
                    .await
                    .context("binding the peer's port again")?;
                self.serve(listener, target);
            }
            unchanged => self.task = unchanged,
        }
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener, target: SocketAddr) {
        let connections = self.connections.clone();
        self.task = Some(tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                connections
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .spawn(forward(here, target));
            }
        }));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn forward(mut here: TcpStream, target: SocketAddr) {
    if let Ok(mut there) = TcpStream::connect(target).await {
        // Either side may end it.
        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn forwards_or_refuses() {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = Peer::start().await.unwrap();
        peer.forward_to(target.local_addr().unwrap());

        let mut caller = TcpStream::connect(peer.address()).await.unwrap();
        caller.write_all(b"x").await.unwrap();
        let (mut callee, _) = target.accept().await.unwrap();
        assert_eq!(callee.read_u8().await.unwrap(), b'x');

        peer.listen(false).await.unwrap();
        assert_eq!(caller.read(&mut [0]).await.unwrap_or(0), 0);
        assert!(TcpStream::connect(peer.address()).await.is_err());
        peer.listen(true).await.unwrap();
        assert!(TcpStream::connect(peer.address()).await.is_ok());
    }
}

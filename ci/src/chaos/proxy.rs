//! A wire between a service and what it depends on, with a switch.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rcgen::generate_simple_self_signed;
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It leads to the other side.
    Pass,
    /// Nobody listens.
    Refuse,
    /// It is accepted, and then nothing happens.
    Silent,
    /// It is accepted, and reset as soon as something comes.
    Reset,
    /// It is answered by somebody with a certificate that nobody trusts.
    Impostor,
}

/// A running wire. It is cut when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wanted: watch::Sender<Mode>,
    task: JoinHandle<()>,
    done: watch::Receiver<Mode>,
}

impl Proxy {
    /// A wire to `target`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("binding a wire's port")?;
        let address = listener.local_addr()?;
        let (wanted, mode) = watch::channel(Mode::Pass);
        let (applied, done) = watch::channel(Mode::Pass);
        let task = tokio::spawn(run(listener, target, mode, applied));
        Ok(Self {
            address,
            wanted,
            task,
            done,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Throws the switch, and cuts the connections there are.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub async fn set(&mut self, mode: Mode) -> Result<()> {
        if *self.wanted.borrow() != mode {
            self.wanted.send_replace(mode);
            let applied = self.done.wait_for(|applied| *applied == mode).await;
            applied.context("a wire's port cannot be bound again")?;
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    listener: TcpListener,
    target: SocketAddr,
    mut wanted: watch::Receiver<Mode>,
    applied: watch::Sender<Mode>,
) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = Some(listener);
    loop {
        let mode = *wanted.borrow_and_update();
        if mode == Mode::Refuse {
            listener = None;
        } else if listener.is_none() {
            let Ok(bound) = TcpListener::bind(address).await else {
                return; // which `set` hears
            };
            listener = Some(bound);
        }
        applied.send_replace(mode);
        // Dropping the set cuts what is in it.
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                accepted = accepted => if let Ok((stream, _)) = accepted {
                    connections.spawn(carry(stream, target, mode));
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn carry(mut stream: TcpStream, target: SocketAddr, mode: Mode) -> io::Result<()> {
    match mode {
        Mode::Pass => {
            let mut other = TcpStream::connect(target).await?;
            copy_bidirectional(&mut stream, &mut other).await?;
        }
        Mode::Refuse => {}
        Mode::Silent => std::future::pending().await,
        Mode::Reset => {
            let _ = stream.read(&mut [0; 1024]).await;
            stream.set_zero_linger()?;
        }
        Mode::Impostor => {
            let tls = impostor().accept(stream).await;
            // A client that is satisfied with the certificate must not take the end for a failure of the wire.
            if let Ok(mut tls) = tls {
                while tls.read(&mut [0; 1024]).await? > 0 {}
            }
        }
    }
    Ok(())
}

/// A certificate for the right address, that nobody has signed.
fn impostor() -> TlsAcceptor {
    let own = generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let own = own.expect("a name that is valid");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key just made");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider's own versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key);
    let mut config = config.expect("a key that fits");
    config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    TlsAcceptor::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::super::DEADLINE;
    use super::*;

    /// Says `hello` to whoever connects.
    async fn greeter() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(b"hello").await;
            }
        });
        address
    }

    async fn heard(address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"?").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn does_as_the_switch_says() {
        let mut proxy = Proxy::start(greeter().await).await.unwrap();
        let address = proxy.address();
        assert_eq!(heard(address).await.unwrap(), "hello");
        proxy.set(Mode::Refuse).await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
        proxy.set(Mode::Reset).await.unwrap();
        assert!(heard(address).await.is_err());
        proxy.set(Mode::Pass).await.unwrap();
        assert_eq!(heard(address).await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn a_switch_cuts_what_is_connected() {
        let mut proxy = Proxy::start(greeter().await).await.unwrap();
        proxy.set(Mode::Silent).await.unwrap();
        let waiting = tokio::spawn(heard(proxy.address()));
        // The connection may come before or after: it ends in both cases, and nobody says hello.
        proxy.set(Mode::Reset).await.unwrap();
        let ended = tokio::time::timeout(DEADLINE, waiting).await.unwrap();
        assert_ne!(ended.unwrap().unwrap_or_default(), "hello");
    }
}

//! The order to stop, and how it comes.

use std::{future::pending, io};

use tokio::sync::watch;

/// The order to stop. Each clone hears of it, also one that begins to wait only afterwards.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The order comes by SIGTERM (containers, service managers) or Ctrl-C, which are heard from now on and end nothing by
    /// themselves any more.
    ///
    /// # Errors
    /// When the system does not let them be heard.
    pub fn on_signal() -> io::Result<Self> {
        let signal = signal()?;
        let (told, stop) = watch::channel(false);
        tokio::spawn(async move {
            signal.await;
            told.send_replace(true);
        });
        Ok(Self(stop))
    }

    /// The order comes when the sender is given `true`.
    pub fn by_hand() -> (watch::Sender<bool>, Self) {
        let (tell, stop) = watch::channel(false);
        (tell, Self(stop))
    }

    /// Whether the order has come.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the order.
    pub fn told(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.0.clone();
        async move {
            if stop.wait_for(|told| *told).await.is_err() {
                // Nobody is left who could give it.
                pending().await
            }
        }
    }
}

#[cfg(unix)]
fn signal() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

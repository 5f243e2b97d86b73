//! Starting and stopping, the same for every web framework.

use std::{
    io::{IsTerminal as _, stdout},
    net::SocketAddr,
};

/// Says where the service listens, and to a person how to see a first trace.
pub fn announce(address: SocketAddr) {
    tracing::info!(%address, "listening");
    if stdout().is_terminal() {
        tracing::info!("try: curl -i 'http://{address}/products?q=lamp'");
    }
}

/// Waits until the process is told to stop, by SIGTERM (containers, service managers) or Ctrl-C.
pub async fn stop_signal() {
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(
                    "SIGTERM cannot be heard ({error}); only Ctrl-C stops the service gracefully"
                );
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();

    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!("Ctrl-C cannot be heard ({error})");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = terminate => {}
        () = interrupt => {}
    }
}

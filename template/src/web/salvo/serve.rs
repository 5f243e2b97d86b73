//! Listening, and stopping without cutting anyone off.

use std::net::SocketAddr;

use anyhow::Context as _;
use salvo::Server;
use tokio::net::TcpListener;

use super::listener::Listener;
use crate::{config::Config, state::AppState, stop::Stop};

/// Serves until `stop`, then finishes the requests that are running, as long as the shutdown timeout allows.
/// `listening` is called with the address once connections are accepted.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    config: &Config,
    state: AppState,
    stop: &Stop,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let address = config.server.address();
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.with_context(|| format!("cannot listen on {address} (HOST and PORT)"))?;
    listening(listener.local_addr()?);

    let (listener, closed) = Listener::new(listener, stop.told())?;
    let server = Server::new(listener);
    let handle = server.handle();
    let too_late = async {
        // Fails when nobody listens any more, which is the same.
        let _ = closed.await;
        tracing::info!("stopping: requests that are running may finish");
        handle.stop_graceful(None);
        tokio::time::sleep(config.server.shutdown_timeout).await;
    };
    tokio::select! {
        served = server.try_serve(super::service(state, &config.server)) => served?,
        () = too_late => tracing::warn!("requests still running after {:?} are cut off", config.server.shutdown_timeout),
    }
    Ok(())
}

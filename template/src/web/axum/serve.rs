//! Listening, and stopping without cutting anyone off.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;

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

    let router = super::router(state, &config.server);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let told = stop.told();
    let served = axum::serve(listener, service).with_graceful_shutdown(async {
        told.await;
        tracing::info!("stopping: requests that are running may finish");
    });
    let too_late = async {
        stop.told().await;
        tokio::time::sleep(config.server.shutdown_timeout).await;
    };
    tokio::select! {
        served = served.into_future() => served?,
        () = too_late => tracing::warn!("requests still running after {:?} are cut off", config.server.shutdown_timeout),
    }
    Ok(())
}

//! Listening, and stopping without cutting anyone off.

use std::net::SocketAddr;

use anyhow::Context as _;
use salvo::{Server, fuse::FuseConfig};
use tokio::net::TcpListener;

use super::listener::Listener;
use crate::{config::Config, state::AppState, stop::Stop};

/// The largest head of a request, in bytes. Larger ones are answered with 431.
const HEAD_LIMIT: u32 = 64 * 1024;

/// How many requests a connection of HTTP/2 may have at a time.
const STREAMS: u32 = 200;

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

    let idle_timeout = config.server.idle_timeout;
    let (listener, closed) = Listener::new(listener, idle_timeout, stop.told())?;
    let limits = FuseConfig::default().with_http1_header_timeout(idle_timeout);
    let mut server = Server::new(listener).fuse_config(limits);
    server.http1_mut().max_buf_size(HEAD_LIMIT as usize);
    // Streams that are opened and reset at once (<https://www.cve.org/CVERecord?id=CVE-2023-44487>) are limited by hyper.
    server
        .http2_mut()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_LIMIT);
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

//! Listening, and stopping without cutting anyone off.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::{Context as _, anyhow};
use rocket::{
    Build, Rocket,
    error::{Error, ErrorKind},
    fairing::AdHoc,
};
use tokio::sync::oneshot;

use crate::{
    config::{Config, Server},
    state::AppState,
    stop::Stop,
};

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
    let rocket = super::rocket(state, &config.server);
    launch(rocket, &config.server, stop, listening).await
}

/// Rocket's state holds it, so it goes when the last connection has gone.
struct Running(#[expect(dead_code, reason = "it is dropped, no more")] oneshot::Sender<Infallible>);

pub(super) async fn launch(
    rocket: Rocket<Build>,
    server: &Server,
    stop: &Stop,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let (running, ended) = oneshot::channel();
    let (lifted, address) = oneshot::channel();
    let liftoff = AdHoc::on_liftoff("Listening", |rocket| {
        let config = rocket.config();
        // Nobody waits any more when the service was told to stop meanwhile.
        let _ = lifted.send(SocketAddr::new(config.address, config.port));
        Box::pin(async {})
    });
    let rocket = rocket.manage(Running(running)).attach(liftoff);
    let rocket = rocket.ignite().await.map_err(unusable)?;
    let shutdown = rocket.shutdown();
    let told_to_stop = async {
        if let Ok(address) = address.await {
            listening(address);
        }
        stop.told().await;
    };
    // Dropping `launch` closes the listener, and no connection: those are tasks of their own, which `shutdown` tells.
    tokio::select! {
        launched = rocket.launch() => {
            let failed = launched.map(drop).map_err(unusable);
            return failed.with_context(|| format!("cannot listen on {} (HOST and PORT)", server.address()));
        }
        () = told_to_stop => tracing::info!("stopping: requests that are running may finish"),
    }
    shutdown.notify();
    // Ends with an error, since nothing is ever sent.
    let drained = tokio::time::timeout(server.shutdown_timeout, ended).await;
    if drained.is_err() {
        tracing::warn!(
            "requests still running after {:?} are cut off",
            server.shutdown_timeout
        );
    }
    Ok(())
}

/// Rocket's error panics when it is dropped before anyone has looked at it.
fn unusable(error: Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::Bind(error) | ErrorKind::Io(error) => anyhow!("{error}"),
        other => anyhow!("{other:?}"),
    }
}

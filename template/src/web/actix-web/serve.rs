//! Listening, and stopping without cutting anyone off.

use std::{net::SocketAddr, time::Duration};

use actix_web::{
    Error, HttpServer,
    dev::{Server, ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::Data,
};
use anyhow::Context as _;
use tokio::{runtime::Handle, sync::mpsc, time};

use super::{layers, routes};
use crate::{
    config::{self, Config},
    overload::Gate,
    state::AppState,
    stop::Stop,
};

/// Serves until `stop`, then finishes the requests that are running, as long as the shutdown timeout allows.
/// `listening` is called with the address once connections are accepted.
///
/// HTTP/1.1 only. With the framework's HTTP/2 without TLS, a connection that says nothing has no time limit, one that is
/// idle holds up the stop, and a request that its client gave up runs on.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    config: &Config,
    state: AppState,
    stop: &Stop,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    // Each worker holds a sender and so does each request: with the last of them all are gone, and on record.
    let (alive, mut gone) = mpsc::channel::<()>(1);
    let (server, address) = bind(config.server.clone(), Data::new(state), alive)?;
    listening(address);

    let handle = server.handle();
    let stopped = async {
        stop.told().await;
        tracing::info!("stopping: requests that are running may finish");
        handle.stop(true).await;
        Ok(())
    };
    let too_late = async {
        stop.told().await;
        time::sleep(config.server.shutdown_timeout).await;
    };
    tokio::select! {
        served = async { tokio::try_join!(server, stopped) } => drop(served?),
        () = too_late => tracing::warn!("requests still running after {:?} are cut off", config.server.shutdown_timeout),
    }
    // The workers end by themselves, and look but once a second whether they must; the requests that they drop are
    // recorded as cancelled, which must not miss the flush.
    let _ = time::timeout(Duration::from_secs(2), gone.recv()).await;
    Ok(())
}

/// A server that accepts connections once it is polled. Apart from [`serve`], whose future must be `Send`, which an app is
/// not.
fn bind(
    settings: config::Server,
    state: Data<AppState>,
    alive: mpsc::Sender<()>,
) -> anyhow::Result<(Server, SocketAddr)> {
    let address = settings.address();
    let idle_timeout = settings.idle_timeout;
    // One for all workers.
    let gate = Gate::new(settings.max_concurrent_requests);
    let runtime = Handle::current();
    let server = HttpServer::new(move || {
        layers::around(routes, &settings, gate.clone(), runtime.clone())
            .app_data(state.clone())
            .wrap(from_fn({
                let alive = alive.clone();
                move |request, next| hold(alive.clone(), request, next)
            }))
    });
    let server = server
        .disable_signals()
        // A client that hangs up is noticed, and its request dropped.
        .h1_allow_half_closed(false)
        .client_request_timeout(idle_timeout)
        .keep_alive(idle_timeout)
        // `serve` keeps the deadline: this one knows only whole seconds.
        .shutdown_timeout(u64::MAX)
        .bind(address)
        .with_context(|| format!("cannot listen on {address} (HOST and PORT)"))?;
    let address = server.addrs()[0];
    Ok((server.run(), address))
}

/// Lets `alive` go after all else that belongs to the request, its span included.
async fn hold<B>(
    alive: mpsc::Sender<()>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let response = next.call(request).await;
    drop(alive);
    response
}

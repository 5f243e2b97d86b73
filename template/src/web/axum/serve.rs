//! Listening, limits for connections, and stopping without cutting anyone off.

use std::{future::pending, io::ErrorKind, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};
use tower::util::MapRequest;

use crate::{
    config::{Config, Server},
    state::AppState,
    stop::Stop,
};

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

    let router = super::router(state, &config.server);
    accept_all(listener, router, &config.server, stop.told()).await;
    Ok(())
}

/// Serves `router` to whoever connects, until `stop`. `axum::serve` would do, but sets no limit for connections.
pub(super) async fn accept_all(
    listener: TcpListener,
    router: Router,
    server: &Server,
    stop: impl Future<Output = ()>,
) {
    let http = http(server.idle_timeout);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut stop => break,
        };
        let asked = Arc::new(Notify::new());
        let note = asked.clone();
        let service = MapRequest::new(router.clone(), move |mut request: http::Request<_>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            note.notify_one();
            request
        });
        let stream = TokioIo::new(stream);
        let connection =
            http.serve_connection_with_upgrades(stream, TowerToHyperService::new(service));
        let connection = connections.watch(connection.into_owned());
        let idle_timeout = server.idle_timeout;
        tokio::spawn(async move {
            tokio::select! {
                // An error is the client's: of our own it would have been told, and recorded.
                _ = connection => {}
                () = nothing_asked(&asked, idle_timeout) => {}
            }
        });
    }
    // From now on new callers are refused, and go elsewhere.
    drop(listener);
    tracing::info!("stopping: requests that are running may finish");
    let patience = server.shutdown_timeout;
    if timeout(patience, connections.shutdown()).await.is_err() {
        tracing::warn!("requests still running after {patience:?} are cut off");
    }
}

/// HTTP/1.1 and HTTP/2, with limits for what comes before a request: <https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)>.
/// Streams that are opened and reset at once (<https://www.cve.org/CVERecord?id=CVE-2023-44487>) are limited by hyper.
fn http(idle_timeout: Duration) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .max_buf_size(HEAD_LIMIT as usize);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(idle_timeout)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_LIMIT);
    http
}

/// Returns when no request has come in time: before its first bytes tell the version of HTTP, a connection has no other limit.
async fn nothing_asked(asked: &Notify, idle_timeout: Duration) {
    if timeout(idle_timeout, asked.notified()).await.is_ok() {
        pending().await
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // A caller who has gone again.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                // Too many open files, say: as connections end, others can be accepted.
                tracing::warn!(exception.message = %error, "connections cannot be accepted");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

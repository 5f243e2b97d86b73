//! Listening, limits for connections, and stopping without cutting anyone off.

use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::{sleep, timeout},
};
use tower::util::MapRequest;

use crate::config::Config;

const HEAD_LIMIT: u32 = 64 * 1024;
const STREAMS: u32 = 200;

/// Serves until SIGTERM.
pub async fn serve(config: &Config, routes: Router) -> anyhow::Result<()> {
    let mut told = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(config.address()).await?;
    let address = listener.local_addr()?;
    println!(r#"{{"message":"listening","address":"{address}"}}"#);

    let http = http(config.idle_timeout);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            _ = told.recv() => break,
        };
        let asked = Arc::new(Notify::new());
        let note = asked.clone();
        let service = MapRequest::new(routes.clone(), move |mut request: http::Request<_>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            note.notify_one();
            request
        });
        let stream = TokioIo::new(stream);
        let connection =
            http.serve_connection_with_upgrades(stream, TowerToHyperService::new(service));
        let connection = connections.watch(connection.into_owned());
        let idle_timeout = config.idle_timeout;
        tokio::spawn(async move {
            tokio::select! {
                _ = connection => {}
                () = nothing_asked(&asked, idle_timeout) => {}
            }
        });
    }
    drop(listener);
    let _ = timeout(config.shutdown_timeout, connections.shutdown()).await;
    Ok(())
}

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

async fn nothing_asked(asked: &Notify, idle_timeout: Duration) {
    if timeout(idle_timeout, asked.notified()).await.is_ok() {
        pending().await
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Too many open files, say: as connections end, others can be accepted.
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

//! The gRPC server: the same domain as on the web, on a port of its own.

mod overload;
mod products;
mod status;
mod users;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use proto::shop::v1::{
    product_service_server::ProductServiceServer, user_service_server::UserServiceServer,
};
use telemetry::grpc::ServerLayer;
use tokio::net::TcpListener;
use tonic::transport::server::{Server, TcpIncoming};
use tonic_health::ServingStatus;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{config::Config, overload::Gate, state::AppState, stop::Stop};

/// How many calls a connection may have at a time.
const STREAMS: u32 = 200;

/// How often a connection is asked whether its other end is there still.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Settings of the gRPC server.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address to listen on for gRPC. Use 0.0.0.0 in a container.
    #[arg(
        id = "grpc_host",
        long = "grpc-host",
        env = "GRPC_HOST",
        default_value = "127.0.0.1"
    )]
    pub host: IpAddr,

    /// Port to listen on for gRPC; 0 takes any that is free.
    #[arg(
        id = "grpc_port",
        long = "grpc-port",
        env = "GRPC_PORT",
        default_value_t = 50051
    )]
    pub port: u16,

    /// Largest message of a gRPC request, in bytes. Larger ones are answered with OUT_OF_RANGE.
    #[arg(id = "grpc_message_limit", long = "grpc-message-limit", env = "GRPC_MESSAGE_LIMIT", default_value_t = 64 * 1024, value_name = "BYTES")]
    pub message_limit: usize,
}

/// Serves until `stop`, then finishes the calls that are running, as long as the shutdown timeout allows.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(config: &Config, state: AppState, stop: &Stop) -> anyhow::Result<()> {
    let address = SocketAddr::new(config.grpc.host, config.grpc.port);
    let listener = TcpListener::bind(address).await;
    let listener = listener
        .with_context(|| format!("cannot listen on {address} (GRPC_HOST and GRPC_PORT)"))?;
    serve_on(listener, config, state, stop).await
}

/// [`serve`], on a port that is bound already.
///
/// # Errors
/// When connections cannot be accepted.
pub async fn serve_on(
    listener: TcpListener,
    config: &Config,
    state: AppState,
    stop: &Stop,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let limit = config.grpc.message_limit;
    let users = UserServiceServer::new(users::Users(state.clone()));
    let products = ProductServiceServer::new(products::Products(state));
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<UserServiceServer<users::Users>>()
        .await;
    health
        .set_serving::<ProductServiceServer<products::Products>>()
        .await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    // From the outside in: telemetry sees the answers of all, those to a panic included.
    // Streams that are opened and reset at once (<https://www.cve.org/CVERecord?id=CVE-2023-44487>) are limited by hyper.
    let router = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .layer(ServerLayer::new(
            proto::METHODS,
            config.server.request_timeout,
        ))
        .layer(CatchPanicLayer::custom(status::panicked))
        .layer(overload::Shed(Gate::new(
            config.server.max_concurrent_requests,
        )))
        .add_service(users.max_decoding_message_size(limit))
        .add_service(products.max_decoding_message_size(limit))
        .add_service(health_service)
        .add_service(reflection.build_v1()?);

    tracing::info!(%address, "gRPC listening");
    let stopping = async {
        stop.told().await;
        // Whoever watches sends nobody here any more.
        for service in ["", "shop.v1.UserService", "shop.v1.ProductService"] {
            health
                .set_service_status(service, ServingStatus::NotServing)
                .await;
        }
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = router.serve_with_incoming_shutdown(incoming, stopping);
    let too_late = async {
        stop.told().await;
        tokio::time::sleep(config.server.shutdown_timeout).await;
    };
    tokio::select! {
        served = served => served?,
        () = too_late => tracing::warn!("gRPC calls still running after {:?} are cut off", config.server.shutdown_timeout),
    }
    Ok(())
}

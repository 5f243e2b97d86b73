//! A plain salvo service: a query, and a call to others by a client that blocks.

use std::env;

use salvo::{
    Depot, Request, Router, Server, Service, affix_state, conn::tcp::TcpAcceptor, handler,
    http::StatusError,
};
use sqlx::SqlitePool;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[derive(Clone)]
struct Shop {
    pool: SqlitePool,
    agent: ureq::Agent,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt::init();
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let agent = ureq::Agent::new_with_defaults();

    let router = Router::with_hoop(affix_state::inject(Shop { pool, agent }))
        .push(Router::with_path("hello/{name}").get(hello))
        .push(Router::with_path("relay").get(relay));
    let service = Service::new(router);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let server = Server::new(TcpAcceptor::try_from(listener)?);
    let handle = server.handle();
    tokio::spawn(async move {
        let mut terminate = signal(SignalKind::terminate()).expect("a signal");
        terminate.recv().await;
        handle.stop_graceful(None);
    });
    server.try_serve(service).await
}

fn shop(depot: &Depot) -> Shop {
    depot.get_typed::<Shop>().expect("the state").clone()
}

#[handler]
async fn hello(request: &mut Request, depot: &mut Depot) -> Result<String, StatusError> {
    let name: String = request.param("name").unwrap_or_default();
    let greeting = sqlx::query_scalar("SELECT 'Hello, ' || ?").bind(name);
    let greeting = greeting.fetch_one(&shop(depot).pool).await;
    greeting.map_err(|_| StatusError::internal_server_error())
}

#[handler]
async fn relay(depot: &mut Depot) -> Result<String, StatusError> {
    let url = env::var("UPSTREAM_URL").map_err(|_| StatusError::not_found())?;
    let agent = shop(depot).agent;
    let call = move || agent.get(url).call()?.body_mut().read_to_string();
    let answer = tokio::task::spawn_blocking(call).await.expect("no panic");
    answer.map_err(|_| StatusError::bad_gateway())
}

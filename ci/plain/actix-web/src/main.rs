//! A plain actix-web service: a greeting, and a call to others by a client that blocks.

use std::env;

use actix_web::{
    App, HttpServer, Responder,
    error::{ErrorBadGateway, ErrorNotFound},
    get,
    web::{Data, Path},
};

struct Shop {
    agent: ureq::Agent,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt::init();
    let agent = ureq::Agent::new_with_defaults();
    let shop = Data::new(Shop { agent });

    let server = HttpServer::new(move || {
        App::new()
            .app_data(shop.clone())
            .service(hello)
            .service(relay)
    });
    let server = server.bind("127.0.0.1:0")?;
    tracing::info!(address = %server.addrs()[0], "listening");
    server.run().await
}

#[get("/hello/{name}")]
async fn hello(name: Path<String>) -> impl Responder {
    format!("Hello, {name}")
}

#[get("/relay")]
async fn relay(shop: Data<Shop>) -> actix_web::Result<String> {
    let url = env::var("UPSTREAM_URL").map_err(ErrorNotFound)?;
    let call = move || shop.agent.get(url).call()?.body_mut().read_to_string();
    let answer = tokio::task::spawn_blocking(call).await.expect("no panic");
    answer.map_err(ErrorBadGateway)
}

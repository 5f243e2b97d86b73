//! A plain Rocket service: a greeting, and a call to others.

use std::env;

use rocket::{Config, State, fairing::AdHoc, get, http::Status, routes};

struct Shop {
    client: reqwest::Client,
}

#[rocket::main]
async fn main() -> Result<(), rocket::Error> {
    tracing_subscriber::fmt::init();
    let client = reqwest::Client::new();
    let shop = Shop { client };

    let routes = routes![hello, relay];
    let config = Config {
        port: 0,
        ..Config::release_default()
    };
    let listening = AdHoc::on_liftoff("Listening", |rocket| {
        let Config { address, port, .. } = rocket.config();
        tracing::info!(address = format!("{address}:{port}"), "listening");
        Box::pin(async {})
    });
    let rocket = rocket::custom(config)
        .manage(shop)
        .attach(listening)
        .mount("/", routes);
    rocket.launch().await.map(drop)
}

#[get("/hello/<name>")]
fn hello(name: &str) -> String {
    format!("Hello, {name}")
}

#[get("/relay")]
async fn relay(shop: &State<Shop>) -> Result<String, Status> {
    let url = env::var("UPSTREAM_URL").map_err(|_| Status::NotFound)?;
    let answer = shop.client.get(url).send().await;
    let answer = answer.map_err(|_| Status::BadGateway)?;
    answer.text().await.map_err(|_| Status::BadGateway)
}

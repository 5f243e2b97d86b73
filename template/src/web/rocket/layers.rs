//! What all routes have in common: limits, errors and telemetry.

use std::{panic::AssertUnwindSafe, time::Duration};

use rocket::{
    Build, Catcher, Config, Data, Request, Rocket, Route,
    config::{Ident, Shutdown},
    data::{ByteUnit, Limits},
    futures::FutureExt as _,
    route::{Handler, Outcome},
};
use telemetry::http_server::{TelemetryFairing, traced_catchers, traced_routes};

use super::error;
use crate::{config::Server, health, overload::Gate};

/// From the inside out: each layer sees the answers of those above it, telemetry those of all.
pub(super) fn around(mut routes: Vec<Route>, server: &Server) -> Rocket<Build> {
    let gate = Gate::new(server.max_concurrent_requests);
    for route in &mut routes {
        let is_probe = health::PATHS.contains(&route.uri.path());
        route.handler = Box::new(Limited {
            handler: route.handler.clone(),
            gate: (!is_probe).then(|| gate.clone()),
            time: server.request_timeout,
        });
    }
    let catcher = Catcher::new(None, error::uncaught);
    rocket::custom(config(server))
        .mount("/", traced_routes(routes))
        .register("/", traced_catchers(vec![catcher]))
        .attach(TelemetryFairing)
}

/// Rocket's settings, from ours alone: no Rocket.toml and no ROCKET_* variable is read.
fn config(server: &Server) -> Config {
    let limits = ["bytes", "data-form", "file", "form", "json", "string"];
    let limit = ByteUnit::from(server.body_limit);
    Config {
        address: server.host,
        port: server.port,
        ident: Ident::none(),
        // Anyone can send X-Real-IP.
        ip_header: None,
        limits: limits
            .into_iter()
            .fold(Limits::new(), |limits, name| limits.limit(name, limit)),
        shutdown: shutdown(server.shutdown_timeout),
        cli_colors: false,
        ..Config::release_default()
    }
}

/// `serve` hears the signals and keeps the time, so Rocket must do neither: it counts in whole seconds, and waits for all
/// of them when a single request is running.
fn shutdown(timeout: Duration) -> Shutdown {
    Shutdown {
        ctrlc: false,
        #[cfg(unix)]
        signals: Default::default(),
        grace: u32::try_from(timeout.as_secs()).map_or(u32::MAX, |grace| grace.saturating_add(1)),
        force: false,
        ..Shutdown::default()
    }
}

/// A handler within limits. It answers 503 while too many requests are being served and when time is up, and 500 when the
/// handler panics.
#[derive(Clone)]
struct Limited {
    handler: Box<dyn Handler>,
    gate: Option<Gate>,
    time: Duration,
}

#[rocket::async_trait]
impl Handler for Limited {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let _admitted = match self.gate.as_ref().map(Gate::enter).transpose() {
            Ok(admitted) => admitted,
            Err(refused) => return Outcome::from(request, refused),
        };
        let handled = async { self.handler.handle(request, data).await };
        let handled = AssertUnwindSafe(handled).catch_unwind();
        match tokio::time::timeout(self.time, handled).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::from(request, error::panicked()),
            Err(_) => Outcome::from(request, error::too_late()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use clap::{Args as _, Command, FromArgMatches as _};
    use rocket::{get, routes};
    use telemetry::testing::Trace;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{stop::Stop, web::serve::launch};

    /// Serves `routes` with the default settings, changed by `arguments`, and gives the address.
    async fn serve(routes: Vec<Route>, arguments: &[&str]) -> String {
        let command = Server::augment_args(Command::new("test").no_binary_name(true));
        let arguments = [&["--port=0"], arguments].concat();
        let matches = command
            .try_get_matches_from(arguments)
            .expect("valid arguments");
        let server = Server::from_arg_matches(&matches).expect("valid settings");
        let (listening, address) = oneshot::channel();
        let rocket = around(routes, &server);
        let (_, never) = Stop::by_hand();
        tokio::spawn(async move {
            let tell = |address| listening.send(address).expect("the test waits");
            launch(rocket, &server, &never, tell).await
        });
        format!("http://{}", address.await.expect("it listens"))
    }

    async fn get_in(trace: &Trace, url: &str) -> reqwest::Response {
        let request = reqwest::Client::new()
            .get(url)
            .header("traceparent", trace.traceparent());
        request.send().await.expect("an answer")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_with_one_correct_span() {
        #[get("/boom")]
        async fn boom() -> &'static str {
            panic!("boom")
        }
        let trace = Trace::new();
        let address = serve(routes![boom], &[]).await;

        let response = get_in(&trace, &format!("{address}/boom")).await;

        assert_eq!(response.status(), 500);
        let body = response.text().await.expect("a body");
        assert!(
            body.contains(&trace.id()) && !body.contains("boom"),
            "{body}"
        );
        assert_eq!(trace.tree().await, "SERVER GET /boom ERROR panic\n");
    }

    #[tokio::test]
    async fn a_handler_that_takes_too_long_is_answered_503() {
        #[get("/slow")]
        async fn slow() -> &'static str {
            pending().await
        }
        let trace = Trace::new();
        let address = serve(routes![slow], &["--request-timeout=50ms"]).await;

        assert_eq!(
            get_in(&trace, &format!("{address}/slow")).await.status(),
            503
        );

        assert_eq!(trace.tree().await, "SERVER GET /slow ERROR timeout\n");
    }
}

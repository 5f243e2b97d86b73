//! What all routes have in common: limits, errors and telemetry.

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};
use telemetry::http_server::TelemetryLayer;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use super::error;
use crate::{config::Server, overload::Gate};

/// From the outside in: each layer sees the answers of those below it, telemetry those of all. They are one layer to axum,
/// which makes a box for each of its layers at each request.
pub(super) fn around(routes: Router, server: &Server) -> Router {
    let gate = Gate::new(server.max_concurrent_requests);
    routes
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(
            ServiceBuilder::new()
                .layer(TelemetryLayer)
                .layer(CatchPanicLayer::custom(error::panicked))
                .layer(from_fn_with_state(gate, error::unless_overloaded))
                .layer(from_fn_with_state(server.request_timeout, error::in_time))
                .layer(DefaultBodyLimit::max(server.body_limit)),
        )
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::routing::get;
    use clap::{Args as _, Command, FromArgMatches as _};
    use telemetry::testing::Trace;
    use tokio::net::TcpListener;

    use super::*;
    use crate::web::serve::accept_all;

    /// Serves `routes` with the default settings, changed by `arguments`, and gives the address.
    async fn serve(routes: Router, arguments: &[&str]) -> String {
        let command = Server::augment_args(Command::new("test").no_binary_name(true));
        let matches = command
            .try_get_matches_from(arguments)
            .expect("valid arguments");
        let server = Server::from_arg_matches(&matches).expect("valid settings");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let app = around(routes, &server);
        tokio::spawn(async move { accept_all(listener, app, &server, pending()).await });
        format!("http://{address}")
    }

    async fn get_in(trace: &Trace, url: &str) -> reqwest::Response {
        let request = reqwest::Client::new()
            .get(url)
            .header("traceparent", trace.traceparent());
        request.send().await.expect("an answer")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_with_one_correct_span() {
        async fn boom() -> &'static str {
            panic!("boom")
        }
        let trace = Trace::new();
        let address = serve(Router::new().route("/boom", get(boom)), &[]).await;

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
        let trace = Trace::new();
        let routes = Router::new().route("/slow", get(pending::<&'static str>));
        let address = serve(routes, &["--request-timeout=50ms"]).await;

        assert_eq!(
            get_in(&trace, &format!("{address}/slow")).await.status(),
            503
        );

        assert_eq!(trace.tree().await, "SERVER GET /slow ERROR timeout\n");
    }
}

//! What all routes have in common: limits, errors and telemetry.

use std::{future::poll_fn, pin::pin};

use actix_web::{
    App, Error, Resource, Route,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard,
    middleware::{Next, from_fn},
    web::{self, JsonConfig, PathConfig, PayloadConfig, QueryConfig, ServiceConfig},
};
use telemetry::http_server::{TelemetryBody, TelemetryLayer};
use tokio::runtime::Handle;

use super::error;
use crate::{config::Server, error::AppError, overload::Gate};

/// From the inside out: each layer sees the answers of those above it, telemetry those of all.
pub(super) fn around(
    routes: fn(&mut ServiceConfig),
    server: &Server,
    gate: Gate,
    runtime: Handle,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<TelemetryBody<BoxBody>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let (body_limit, request_timeout) = (server.body_limit, server.request_timeout);
    App::new()
        .configure(routes)
        .default_service(web::to(error::no_route))
        .app_data(PayloadConfig::new(body_limit))
        .app_data(
            JsonConfig::default()
                .limit(body_limit)
                .error_handler(|error, _| AppError::from(error).into()),
        )
        .app_data(PathConfig::default().error_handler(|error, _| AppError::from(error).into()))
        .app_data(QueryConfig::default().error_handler(|error, _| AppError::from(error).into()))
        .wrap(from_fn(move |request, next: Next<BoxBody>| {
            in_runtime(runtime.clone(), request, next)
        }))
        .wrap(from_fn(move |request, next: Next<BoxBody>| {
            error::in_time(request_timeout, request, next)
        }))
        .wrap(from_fn(move |request, next: Next<BoxBody>| {
            error::unless_overloaded(gate.clone(), request, next)
        }))
        .wrap(from_fn(error::unpanicked::<BoxBody>))
        .wrap(TelemetryLayer)
}

/// Runs handlers in the service's own runtime. Each worker of the framework has another, and with it would die the
/// connections that a request opens for a pool that all share, under whoever uses them then.
async fn in_runtime<B>(
    runtime: Handle,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = pin!(next.call(request));
    poll_fn(|context| {
        let _entered = runtime.enter();
        response.as_mut().poll(context)
    })
    .await
}

/// A path that answers methods other than `allowed` with 405.
pub(super) fn resource(path: &str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || error::no_method(allowed)))
}

/// GET, and HEAD, which is GET without the body.
pub(super) fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use actix_web::HttpServer;
    use clap::{Args as _, Command, FromArgMatches as _};
    use telemetry::testing::Trace;

    use super::*;

    /// Serves `routes` with the default settings, changed by `arguments`, and gives the address.
    async fn serve(routes: fn(&mut ServiceConfig), arguments: &[&str]) -> String {
        let command = Server::augment_args(Command::new("test").no_binary_name(true));
        let matches = command
            .try_get_matches_from(arguments)
            .expect("valid arguments");
        let server = Server::from_arg_matches(&matches).expect("valid settings");
        let gate = Gate::new(server.max_concurrent_requests);
        let runtime = Handle::current();
        let app = move || around(routes, &server, gate.clone(), runtime.clone());
        let server = HttpServer::new(app)
            .workers(1)
            .bind("127.0.0.1:0")
            .expect("a free port");
        let address = server.addrs()[0];
        tokio::spawn(server.run());
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
        fn routes(routes: &mut ServiceConfig) {
            routes.route("/boom", get().to(boom));
        }
        let trace = Trace::new();
        let address = serve(routes, &[]).await;

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
        fn routes(routes: &mut ServiceConfig) {
            routes.route("/slow", get().to(pending::<&'static str>));
        }
        let trace = Trace::new();
        let address = serve(routes, &["--request-timeout=50ms"]).await;

        assert_eq!(
            get_in(&trace, &format!("{address}/slow")).await.status(),
            503
        );

        assert_eq!(trace.tree().await, "SERVER GET /slow ERROR timeout\n");
    }

    #[tokio::test]
    async fn a_refused_method_is_told_which_there_are() {
        fn routes(routes: &mut ServiceConfig) {
            routes.service(resource("/", "GET, HEAD").route(get().to(async || "here")));
        }
        let address = serve(routes, &[]).await;
        let client = reqwest::Client::new();

        let head = client.head(&address).send().await.expect("an answer");
        assert_eq!(
            (head.status().as_u16(), &head.headers()["content-length"]),
            (200, &"4".parse().expect("a value"))
        );

        let refused = client.delete(&address).send().await.expect("an answer");
        assert_eq!(refused.status(), 405);
        assert_eq!(refused.headers()["allow"], "GET, HEAD");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn handlers_run_in_the_runtime_of_the_service() {
        async fn flavor() -> String {
            format!("{:?}", Handle::current().runtime_flavor())
        }
        fn routes(routes: &mut ServiceConfig) {
            routes.route("/", get().to(flavor));
        }
        let (trace, address) = (Trace::new(), serve(routes, &[]).await);

        let response = get_in(&trace, &address).await;

        // That of a worker is a `CurrentThread`.
        assert_eq!(response.text().await.expect("a body"), "MultiThread");
    }
}

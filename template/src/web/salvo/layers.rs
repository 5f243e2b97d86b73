//! What all routes have in common: limits, errors and telemetry.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use salvo::{
    Depot, FlowCtrl, Request, Response, Router, Service, handler, http::request::SecureMaxSize,
};
use telemetry::http_server::TelemetryHoop;

use super::{error, methods};
use crate::{config::Server, health, overload::Gate};

/// From the outside in: each hoop sees the answers of those below it, telemetry those of all.
pub(super) fn around(routes: Router, server: &Server) -> Service {
    Service::new(methods::complete(routes))
        .hoop(TelemetryHoop)
        .hoop(CatchPanic)
        .hoop(UnlessOverloaded(Gate::new(server.max_concurrent_requests)))
        .hoop(InTime(server.request_timeout))
        .hoop(SecureMaxSize::new(server.body_limit))
        .hoop(Explain)
}

/// Answers 500 for a handler that panicked.
struct CatchPanic;

#[handler]
impl CatchPanic {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let panicked = {
            let mut handled = pin!(ctrl.call_next(request, depot, response));
            poll_fn(|task| {
                let poll = AssertUnwindSafe(|| handled.as_mut().poll(task));
                catch_unwind(poll).map_or(Poll::Ready(true), |poll| poll.map(|_| false))
            })
            .await
        };
        if panicked {
            response.render(error::panicked());
        }
    }
}

/// Answers 503 while too many requests are being served.
struct UnlessOverloaded(Gate);

#[handler]
impl UnlessOverloaded {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let admitted = if health::PATHS.contains(&request.uri().path()) {
            None
        } else {
            match self.0.enter() {
                Ok(admitted) => Some(admitted),
                Err(error) => {
                    response.render(error);
                    ctrl.skip_rest();
                    return;
                }
            }
        };
        ctrl.call_next(request, depot, response).await;
        drop(admitted);
    }
}

/// Answers 503 for a handler that takes too long, and drops it.
struct InTime(Duration);

#[handler]
impl InTime {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let handled = tokio::time::timeout(self.0, ctrl.call_next(request, depot, response));
        if handled.await.is_err() {
            response.render(error::too_slow());
        }
    }
}

/// Gives a body to errors without one: no route, and what salvo itself refuses. salvo's own would come from outside
/// the span, and as HTML.
struct Explain;

#[handler]
impl Explain {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        ctrl.call_next(request, depot, response).await;
        let status = response.status_code.unwrap_or_default();
        let is_bare = response.body.is_none() || response.body.is_error();
        if is_bare && (status.is_client_error() || status.is_server_error()) {
            response.render(error::bare(status));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use clap::{Args as _, Command, FromArgMatches as _};
    use reqwest::Method;
    use salvo::{conn::tcp::TcpAcceptor, http::StatusError};
    use telemetry::testing::Trace;
    use tokio::net::TcpListener;

    use super::*;

    /// Serves `routes` with the default settings, changed by `arguments`, and gives the address.
    async fn serve(routes: Router, arguments: &[&str]) -> String {
        let command = Server::augment_args(Command::new("test").no_binary_name(true));
        let matches = command
            .try_get_matches_from(arguments)
            .expect("valid arguments");
        let server = Server::from_arg_matches(&matches).expect("valid settings");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let acceptor = TcpAcceptor::try_from(listener).expect("a bound port");
        tokio::spawn(salvo::Server::new(acceptor).try_serve(around(routes, &server)));
        format!("http://{address}")
    }

    async fn ask(trace: &Trace, method: Method, url: &str) -> reqwest::Response {
        let request = reqwest::Client::new()
            .request(method, url)
            .header("traceparent", trace.traceparent());
        request.send().await.expect("an answer")
    }

    #[handler]
    async fn hello() -> &'static str {
        "hello"
    }

    #[tokio::test]
    async fn a_panic_is_a_500_with_one_correct_span() {
        #[handler]
        async fn boom() -> &'static str {
            panic!("boom")
        }
        let trace = Trace::new();
        let address = serve(Router::with_path("/boom").get(boom), &[]).await;

        let response = ask(&trace, Method::GET, &format!("{address}/boom")).await;

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
        #[handler]
        async fn slow() -> &'static str {
            pending().await
        }
        let trace = Trace::new();
        let routes = Router::with_path("/slow").get(slow);
        let address = serve(routes, &["--request-timeout=50ms"]).await;

        let response = ask(&trace, Method::GET, &format!("{address}/slow")).await;

        assert_eq!(response.status(), 503);
        assert_eq!(trace.tree().await, "SERVER GET /slow ERROR timeout\n");
    }

    #[tokio::test]
    async fn what_salvo_refuses_is_explained_inside_the_trace() {
        #[handler]
        async fn never() -> StatusError {
            StatusError::gone()
        }
        let trace = Trace::new();
        let address = serve(Router::with_path("/never").get(never), &[]).await;

        let response = ask(&trace, Method::GET, &format!("{address}/never")).await;

        assert_eq!(response.status(), 410);
        let body = response.text().await.expect("a body");
        assert!(body.contains(&trace.id()), "{body}");
        assert_eq!(trace.tree().await, "SERVER GET /never\n");
    }

    #[tokio::test]
    async fn head_is_get_without_the_body() {
        let trace = Trace::new();
        let address = serve(Router::with_path("/hello").get(hello), &[]).await;

        let response = ask(&trace, Method::HEAD, &format!("{address}/hello")).await;

        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.expect("no body"), "");
        assert_eq!(trace.tree().await, "SERVER HEAD /hello\n");
    }

    #[tokio::test]
    async fn a_refused_method_learns_what_the_path_allows() {
        let trace = Trace::new();
        let routes = Router::new()
            .push(Router::with_path("/hello").get(hello))
            .push(Router::with_path("/{name}").delete(hello))
            .push(
                Router::with_path("/nested")
                    .push(Router::with_path("{id}").post(hello))
                    .push(Router::with_path("{id}").put(hello)),
            );
        let address = serve(routes, &[]).await;

        for (path, allowed) in [
            ("/hello", "GET,HEAD"),
            ("/ada", "DELETE"),
            ("/nested/7", "POST,PUT"),
        ] {
            let response = ask(&trace, Method::PATCH, &format!("{address}{path}")).await;
            assert_eq!((response.status().as_u16(), path), (405, path));
            assert_eq!(response.headers()["allow"], allowed);
        }

        trace.span("PATCH /hello").await;
        trace.span("PATCH /{name}").await;
        trace.span("PATCH /nested/{id}").await;
    }
}

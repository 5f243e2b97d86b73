use std::{future::pending, net::SocketAddr, time::Duration};

use http::Uri;
use proto::shop::v1::{
    CreateUserRequest, GetUserRequest, SearchRequest, product_service_client::ProductServiceClient,
    user_service_client::UserServiceClient,
};
use service::{grpc, state::AppState, stop::Stop};
use telemetry::testing::{Trace, attribute};
use tokio::net::TcpListener;
use tonic::{
    Code, Request,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::app::App;

/// A service with its gRPC server, whose peer is that server.
async fn start() -> (App, Channel) {
    start_with(&[]).await
}

async fn start_with(arguments: &[&str]) -> (App, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let url = format!("http://{address}");
    let arguments = [&["--grpc-peer-url", &url], arguments].concat();
    let (config, app) = App::prepare(&arguments).await;
    let state = AppState::connect(&config).await;
    let state = state.expect("the service starts");
    tokio::spawn({
        let (config, state) = (config.clone(), state.clone());
        let (_, never) = Stop::by_hand();
        async move { grpc::serve_on(listener, &config, state, &never).await }
    });
    (app.serve(&config, state).await, channel(address))
}

fn channel(address: SocketAddr) -> Channel {
    let url = Uri::try_from(format!("http://{address}")).expect("a valid URL");
    Endpoint::from(url).connect_lazy()
}

/// A request within `trace`.
fn within<M>(trace: &Trace, message: M) -> Request<M> {
    let mut request = Request::new(message);
    let parent = trace.traceparent().parse().expect("a header of text");
    request.metadata_mut().insert("traceparent", parent);
    request
}

#[tokio::test]
async fn a_user_is_found() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let mut request = within(&trace, GetUserRequest { id: 1 });
    let session = "s-42".parse().expect("a header of text");
    request.metadata_mut().insert("x-session-id", session);

    let user = UserServiceClient::new(channel).get_user(request).await;

    assert_eq!(user.expect("a user").into_inner().name, "Ada Lovelace");
    let tree = trace.tree().await;
    let start = "SERVER shop.v1.UserService/GetUser\n  INTERNAL db.get_user\n";
    assert!(tree.starts_with(start), "{tree}");
    for span in trace.spans() {
        assert_eq!(attribute(&span, "session.id").as_deref(), Some("s-42"));
    }
    let server = trace.span("shop.v1.UserService/GetUser").await;
    assert!(server.parent_span_is_remote);
    for (key, expected) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", "shop.v1.UserService/GetUser"),
        ("rpc.response.status_code", "OK"),
        ("network.peer.address", "127.0.0.1"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(attribute(&server, key).as_deref(), Some(expected), "{key}");
    }
}

#[tokio::test]
async fn a_user_that_is_not_there_is_no_error_of_ours() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let request = within(&trace, GetUserRequest { id: 999 });

    let status = UserServiceClient::new(channel).get_user(request).await;

    let status = status.expect_err("nobody");
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no such user")
    );
    let server = trace.span("shop.v1.UserService/GetUser").await;
    let code = attribute(&server, "rpc.response.status_code");
    assert_eq!(code.as_deref(), Some("NOT_FOUND"));
    let tree = trace.tree().await;
    assert!(!tree.contains("ERROR"), "{tree}");
}

#[tokio::test]
async fn a_user_is_created_once() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let mut users = UserServiceClient::new(channel);
    let linus = CreateUserRequest {
        name: "Linus".to_owned(),
        email: "linus@example.com".to_owned(),
    };

    let created = users.create_user(within(&trace, linus.clone())).await;
    assert_eq!(created.expect("a user").into_inner().name, "Linus");

    let again = users.create_user(within(&trace, linus)).await;
    assert_eq!(again.expect_err("a conflict").code(), Code::AlreadyExists);
}

#[tokio::test]
async fn fields_that_are_not_valid_are_named() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let nobody = within(&trace, CreateUserRequest::default());

    let status = UserServiceClient::new(channel).create_user(nobody).await;

    let status = status.expect_err("nobody has no name");
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_details_bad_request().expect("details");
    let fields: Vec<_> = details
        .field_violations
        .iter()
        .map(|one| &one.field)
        .collect();
    assert_eq!(fields, ["name", "email"]);
    assert_eq!(
        trace.tree().await,
        "SERVER shop.v1.UserService/CreateUser\n"
    );
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let large = CreateUserRequest {
        name: "x".repeat(100_000),
        email: String::new(),
    };
    let status = UserServiceClient::new(channel)
        .create_user(within(&trace, large))
        .await;
    assert_eq!(status.expect_err("too large").code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_method_that_nobody_offers_cannot_make_up_a_name() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let mut client = Grpc::new(channel);
    for path in ["/shop.v1.UserService/Drop", "/made.up.Service/Do"] {
        client.ready().await.expect("a connection");
        let codec = tonic_prost::ProstCodec::<GetUserRequest, GetUserRequest>::default();
        let request = within(&trace, GetUserRequest::default());
        let path = path.parse().expect("a path");
        let status = client.unary(request, path, codec).await;
        assert_eq!(status.expect_err("no method").code(), Code::Unimplemented);
    }
    assert_eq!(
        trace.tree().await,
        "SERVER grpc ERROR UNIMPLEMENTED\n".repeat(2)
    );
    let server = trace.span("grpc").await;
    assert_eq!(attribute(&server, "rpc.method").as_deref(), Some("_OTHER"));
    assert_eq!(
        attribute(&server, "rpc.method_original").as_deref(),
        Some("shop.v1.UserService/Drop")
    );
}

#[tokio::test]
async fn a_method_that_takes_too_long_is_given_up() {
    let trace = Trace::new();
    // Over before it begins.
    let (_app, channel) = start_with(&["--request-timeout=1ns"]).await;

    let found = ProductServiceClient::new(channel)
        .search(within(&trace, SearchRequest::default()))
        .await;

    assert_eq!(found.expect_err("too late").code(), Code::DeadlineExceeded);
    assert_eq!(
        trace.tree().await,
        "SERVER shop.v1.ProductService/Search ERROR DEADLINE_EXCEEDED\n"
    );
}

#[tokio::test]
async fn a_call_too_many_is_refused_at_once_and_health_is_not() {
    let (_app, channel) = start_with(&["--max-concurrent-requests=1"]).await;
    // A call that is being served until it is aborted: its message never comes.
    let hold = || {
        let mut client = Grpc::new(channel.clone());
        tokio::spawn(async move {
            client.ready().await.expect("a connection");
            let never = Request::new(tokio_stream::pending::<GetUserRequest>());
            let path = "/shop.v1.UserService/GetUser".parse().expect("a path");
            let codec = tonic_prost::ProstCodec::<GetUserRequest, GetUserRequest>::default();
            client.client_streaming(never, path, codec).await
        })
    };
    let mut held = hold();

    let refused = async {
        loop {
            let trace = Trace::new();
            let search = within(&trace, SearchRequest::default());
            let found = ProductServiceClient::new(channel.clone())
                .search(search)
                .await;
            if let Err(status) = found {
                return (status, trace);
            }
            // It may have come while another one was being served.
            if held.is_finished() {
                held = hold();
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await;
    let (status, trace) = refused.expect("the first call is being served soon");

    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        trace.tree().await,
        "SERVER shop.v1.ProductService/Search ERROR UNAVAILABLE\n"
    );
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest::default()).await;
    assert_eq!(answer.expect("an answer").into_inner().status, 1);
    held.abort();
}

#[tokio::test]
async fn health_answers_and_leaves_no_trace() {
    let ((_app, channel), trace) = (start().await, Trace::new());
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "shop.v1.UserService", "shop.v1.ProductService"] {
        let service = service.to_owned();
        let request = within(&trace, HealthCheckRequest { service });
        let answer = health.check(request).await.expect("an answer");
        assert_eq!(answer.into_inner().status, 1, "SERVING");
    }
    // A traced call after them: had they left spans, these would have ended before.
    let request = within(&trace, CreateUserRequest::default());
    UserServiceClient::new(channel)
        .create_user(request)
        .await
        .expect_err("nobody has no name");
    assert_eq!(
        trace.tree().await,
        "SERVER shop.v1.UserService/CreateUser\n"
    );
}

#[tokio::test]
async fn a_peer_is_searched_within_one_trace() {
    let ((app, _channel), trace) = (start().await, Trace::new());

    let reply = app.get(&trace, "/peer/products?q=lamp&limit=2").await;

    assert_eq!((reply.status, &reply.body["count"]), (200, &2.into()));
    assert_eq!(reply.body["products"][0]["name"], "Desk lamp");
    let tree = trace.tree().await;
    let start = "SERVER GET /peer/products\n  INTERNAL peer.search\n    CLIENT shop.v1.ProductService/Search\n      \
                 SERVER shop.v1.ProductService/Search\n        INTERNAL product.search\n";
    assert!(tree.starts_with(start), "{tree}");
}

#[tokio::test]
async fn a_search_that_the_peer_refuses_is_the_caller_s_mistake() {
    let ((app, _channel), trace) = (start().await, Trace::new());
    let reply = app.get(&trace, "/peer/products?limit=0").await;
    assert_eq!(reply.problem(400, &trace), "limit must be 1 to 100");
    let inner = trace.span("peer.search").await;
    assert_eq!(inner.events.len(), 0);
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_said_so_and_recorded_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", nobody.local_addr().expect("a bound port"));
    drop(nobody);
    let (app, trace) = (
        App::start_with(&["--grpc-peer-url", &url]).await,
        Trace::new(),
    );

    let reply = app.get(&trace, "/peer/products").await;

    assert_eq!(reply.problem(503, &trace), "the peer is not available");
    trace.tree().await; // all of them have ended
    let exceptions: usize = trace.spans().iter().map(|span| span.events.len()).sum();
    assert_eq!(exceptions, 1);
    let client = trace.span("shop.v1.ProductService/Search").await;
    assert_eq!(
        attribute(&client, "error.type").as_deref(),
        Some("UNAVAILABLE")
    );
}

#[tokio::test]
async fn a_peer_that_is_too_slow_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound port"));
    // It accepts, and says nothing.
    tokio::spawn(async move {
        let _connection = listener.accept().await;
        pending::<()>().await
    });
    let arguments = ["--grpc-peer-url", &url, "--grpc-peer-timeout=200ms"];
    let (app, trace) = (App::start_with(&arguments).await, Trace::new());

    let reply = tokio::time::timeout(Duration::from_secs(5), app.get(&trace, "/peer/products"));

    let reply = reply.await.expect("the peer is given up");
    assert_eq!(
        reply.problem(504, &trace),
        "the peer did not answer in time"
    );
    let client = trace.span("shop.v1.ProductService/Search").await;
    assert_eq!(
        attribute(&client, "error.type").as_deref(),
        Some("DEADLINE_EXCEEDED")
    );
}

#[tokio::test]
async fn without_a_peer_the_answer_says_so() {
    let (app, trace) = (App::start().await, Trace::new());
    assert_eq!(
        app.get(&trace, "/peer/products").await.problem(503, &trace),
        "no peer is configured"
    );
}

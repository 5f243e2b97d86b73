//! Calls over gRPC, and one that the service makes to its peer: itself.

use prost::Message;

use super::super::{Leaves, Part, Step};
use crate::client::GRPC;
use crate::faults::{PANIC_QUERY, SLOW_QUERY};
use crate::upstream::Mode;

// Codes of gRPC: https://grpc.io/docs/guides/status-codes/
const OK: u16 = 0;
const INVALID_ARGUMENT: u16 = 3;
const DEADLINE_EXCEEDED: u16 = 4;
const NOT_FOUND: u16 = 5;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;

#[derive(Message)]
struct GetUser {
    #[prost(int64, tag = "1")]
    id: i64,
}

#[derive(Message)]
struct CreateUser {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    email: String,
}

#[derive(Message)]
struct Search {
    #[prost(string, tag = "1")]
    q: String,
}

pub(super) fn grpc() -> Vec<Step> {
    // The answer does not name the trace, so the caller must have begun it.
    let call = |name, method, message: Vec<u8>, code| {
        let mut step = Step::new(name, GRPC, method)
            .needs(Part::Grpc)
            .remote(true)
            .status(code);
        step.request.body = message;
        step
    };
    let get = |name, id, code| {
        let message = GetUser { id }.encode_to_vec();
        call(name, "shop.v1.UserService/GetUser", message, code).varies(&[Part::Sql, Part::Redis])
    };
    let search = |name, q: &str, code| {
        let message = Search { q: q.to_owned() }.encode_to_vec();
        call(name, "shop.v1.ProductService/Search", message, code)
    };
    let nobody = CreateUser {
        name: String::new(),
        email: "not an address".to_owned(),
    };
    let peer = |name| {
        Step::new(
            name,
            "GET",
            "/peer/products?q=lamp&category=lighting&limit=5",
        )
        .needs(Part::Grpc)
    };
    vec![
        get("grpc-user-found", 1, OK).short(),
        get("grpc-user-not-found", 999_999, NOT_FOUND),
        call(
            "grpc-invalid",
            "shop.v1.UserService/CreateUser",
            nobody.encode_to_vec(),
            INVALID_ARGUMENT,
        ),
        call(
            "grpc-unknown-method",
            "shop.v1.UserService/DropUsers",
            Vec::new(),
            UNIMPLEMENTED,
        ),
        search("grpc-deadline", SLOW_QUERY, DEADLINE_EXCEEDED).header("grpc-timeout", "200m"),
        call("grpc-health", "grpc.health.v1.Health/Check", Vec::new(), OK).leaves(Leaves::Nothing),
        search("grpc-panic", PANIC_QUERY, INTERNAL).raises().short(),
        // First, while there is no connection that would have to be noticed to be gone.
        peer("peer-refused")
            .upstream(Mode::Refuse)
            .status(503)
            .raises()
            .short(),
        peer("peer-search").varies(&[Part::Sql]).servers(2).short(),
    ]
}

#![expect(dead_code, reason = "they show a shape; nobody calls or reads them")]

use utoipa::{OpenApi, ToSchema};

use crate::external;

#[derive(OpenApi)]
#[openapi(
    paths(call_upstream),
    tags((name = "external", description = "What another server says."))
)]
pub(super) struct Api;

/// What the upstream answered.
#[derive(ToSchema)]
#[schema(example = json!({ "status": 200, "bytes": 512 }))]
struct Reply {
    #[schema(minimum = 100, maximum = 999)]
    status: u16,
    /// The length of its body.
    bytes: usize,
}

const _: fn(external::Reply) -> Reply = |external::Reply { status, bytes }| Reply { status, bytes };

/// Calls the upstream
#[utoipa::path(
    post,
    path = "/external",
    tag = "external",
    responses(
        (status = 200, description = "It answered.", body = Reply),
        (status = 502, description = "It failed, or cannot be reached."),
        (status = 504, description = "It did not answer in time."),
    )
)]
fn call_upstream() {}

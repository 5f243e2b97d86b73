#![expect(dead_code, reason = "they show a shape; nobody calls or reads them")]

use utoipa::OpenApi;

use super::products::{Found, Search};

#[derive(OpenApi)]
#[openapi(
    paths(search_products_of_peer),
    tags((name = "peer", description = "What another service like this one offers."))
)]
pub(super) struct Api;

/// The products of the peer that match
#[utoipa::path(
    get,
    path = "/peer/products",
    tag = "peer",
    params(Search),
    responses(
        (status = 200, description = "Those that match.", body = Found),
        (status = 400, description = "A parameter is not allowed."),
        (status = 502, description = "The peer failed."),
        (status = 504, description = "The peer did not answer in time."),
    )
)]
fn search_products_of_peer() {}

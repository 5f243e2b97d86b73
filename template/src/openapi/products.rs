#![expect(dead_code, reason = "they show a shape; nobody calls or reads them")]

use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::products;

#[derive(OpenApi)]
#[openapi(
    paths(search_products),
    tags((name = "products", description = "What is on offer."))
)]
pub(super) struct Api;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Part of the name, in any case. Empty: any.
    #[param(
        required = false,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*$",
        example = "lamp"
    )]
    q: String,
    /// Empty: any.
    #[param(
        required = false,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*$",
        example = "lighting"
    )]
    category: String,
    /// How many products at most.
    #[param(
        required = false,
        minimum = 1,
        maximum = 100,
        default = 20,
        example = 10
    )]
    limit: u8,
}

const _: fn(products::Search) -> Search =
    |products::Search { q, category, limit }| Search { q, category, limit };

/// What is found.
#[derive(ToSchema)]
pub(super) struct Found {
    /// How many products these are.
    #[schema(maximum = 100)]
    count: usize,
    /// By id.
    #[schema(max_items = 100)]
    products: Vec<Product>,
}

const _: fn(products::Found) -> Found = |products::Found { count, products }| Found {
    count,
    products: products.into_iter().map(PRODUCT).collect(),
};

/// A product.
#[derive(ToSchema)]
#[schema(example = json!({ "id": 1, "name": "Desk lamp", "category": "lighting", "price_cents": 4900 }))]
struct Product {
    id: i64,
    name: String,
    category: String,
    price_cents: i64,
}

const PRODUCT: fn(products::Product) -> Product = |product| {
    let products::Product {
        id,
        name,
        category,
        price_cents,
    } = product;
    Product {
        id,
        name,
        category,
        price_cents,
    }
};

/// The products that match
#[utoipa::path(
    get,
    path = "/products",
    tag = "products",
    params(Search),
    responses(
        (status = 200, description = "Those that match.", body = Found),
        (status = 400, description = "A parameter is not allowed."),
    )
)]
fn search_products() {}

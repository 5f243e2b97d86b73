use proto::shop::v1::{
    Product, SearchRequest, SearchResponse, product_service_server::ProductService,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    products::{self, Search},
    state::AppState,
};

pub(super) struct Products(pub(super) AppState);

#[async_trait]
impl ProductService for Products {
    async fn search(
        &self,
        request: Request<SearchRequest>,
    ) -> Result<Response<SearchResponse>, Status> {
        let found = products::search(&self.0, request.into_inner().into()).await?;
        let products = found.products.into_iter().map(Product::from).collect();
        Ok(Response::new(SearchResponse { products }))
    }
}

impl From<SearchRequest> for Search {
    fn from(request: SearchRequest) -> Self {
        let SearchRequest { q, category, limit } = request;
        // What does not fit is more than is allowed, whatever it is.
        let limit = limit.map_or(Self::default().limit, |limit| {
            u8::try_from(limit).unwrap_or(u8::MAX)
        });
        Self { q, category, limit }
    }
}

impl From<products::Product> for Product {
    fn from(product: products::Product) -> Self {
        let products::Product {
            id,
            name,
            category,
            price_cents,
        } = product;
        Self {
            id,
            name,
            category,
            price_cents,
        }
    }
}

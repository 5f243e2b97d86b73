use salvo::{Depot, Request, Router, handler};

use super::{json::Json, state};
use crate::{
    error::AppError,
    products::{self, Found},
};

pub(super) fn routes() -> Router {
    Router::with_path("/products").get(search)
}

#[handler]
async fn search(request: &mut Request, depot: &mut Depot) -> Result<Json<Found>, AppError> {
    let wanted = request.parse_queries()?;
    Ok(Json(products::search(state(depot), wanted).await?))
}

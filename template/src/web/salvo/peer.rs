use salvo::{Depot, Request, Router, handler};

use super::{json::Json, state};
use crate::{error::AppError, peer, products::Found};

pub(super) fn routes() -> Router {
    Router::with_path("/peer/products").get(search)
}

#[handler]
async fn search(request: &mut Request, depot: &mut Depot) -> Result<Json<Found>, AppError> {
    let wanted = request.parse_queries()?;
    Ok(Json(peer::search(state(depot), wanted).await?))
}

use salvo::{Depot, Router, handler};

use super::{json::Json, state};
use crate::{
    error::AppError,
    external::{self, Reply},
};

pub(super) fn routes() -> Router {
    Router::with_path("/external").post(call)
}

#[handler]
async fn call(depot: &mut Depot) -> Result<Json<Reply>, AppError> {
    Ok(Json(external::call(state(depot)).await?))
}

use rocket::{Route, State, get, routes};

use super::extract::{Json, Query};
use crate::{
    error::AppError,
    products::{self, Found, Search},
    state::AppState,
};

pub(super) fn routes() -> Vec<Route> {
    routes![search]
}

#[get("/products")]
async fn search(
    state: &State<AppState>,
    search: Result<Query<Search>, AppError>,
) -> Result<Json<Found>, AppError> {
    let Query(search) = search?;
    Ok(Json(products::search(state, search).await?))
}

use rocket::{Route, State, get, routes};

use super::extract::{Json, Query};
use crate::{
    error::AppError,
    peer,
    products::{Found, Search},
    state::AppState,
};

pub(super) fn routes() -> Vec<Route> {
    routes![search]
}

#[get("/peer/products")]
async fn search(
    state: &State<AppState>,
    search: Result<Query<Search>, AppError>,
) -> Result<Json<Found>, AppError> {
    let Query(search) = search?;
    Ok(Json(peer::search(state, search).await?))
}

use rocket::{Route, State, post, routes};

use super::extract::Json;
use crate::{
    error::AppError,
    external::{self, Reply},
    state::AppState,
};

pub(super) fn routes() -> Vec<Route> {
    routes![call]
}

#[post("/external")]
async fn call(state: &State<AppState>) -> Result<Json<Reply>, AppError> {
    Ok(Json(external::call(state).await?))
}

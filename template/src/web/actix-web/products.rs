use actix_web::web::{Data, Json, Query, ServiceConfig};

use super::layers::{get, resource};
use crate::{
    error::AppError,
    products::{self, Found, Search},
    state::AppState,
};

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes.service(resource("/products", "GET, HEAD").route(get().to(search)));
}

async fn search(state: Data<AppState>, search: Query<Search>) -> Result<Json<Found>, AppError> {
    Ok(Json(products::search(&state, search.into_inner()).await?))
}

use actix_web::web::{Data, Json, ServiceConfig, post};

use super::layers::resource;
use crate::{
    error::AppError,
    external::{self, Reply},
    state::AppState,
};

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes.service(resource("/external", "POST").route(post().to(call)));
}

async fn call(state: Data<AppState>) -> Result<Json<Reply>, AppError> {
    Ok(Json(external::call(&state).await?))
}

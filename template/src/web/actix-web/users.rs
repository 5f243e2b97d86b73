use actix_web::{
    HttpResponse,
    http::header::LOCATION,
    web::{Data, Json, Path, ServiceConfig, post},
};

use super::layers::{get, resource};
use crate::{
    error::AppError,
    state::AppState,
    users::{self, NewUser, User},
};

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(resource("/users", "POST").route(post().to(create)))
        .service(resource("/users/{id}", "GET, HEAD").route(get().to(show)));
}

async fn show(state: Data<AppState>, id: Path<i64>) -> Result<Json<User>, AppError> {
    Ok(Json(users::get(&state, *id).await?))
}

async fn create(state: Data<AppState>, user: Json<NewUser>) -> Result<HttpResponse, AppError> {
    let user = users::create(&state, user.into_inner()).await?;
    let location = (LOCATION, format!("/users/{}", user.id));
    Ok(HttpResponse::Created().insert_header(location).json(user))
}

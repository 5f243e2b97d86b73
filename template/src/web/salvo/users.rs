use http::{StatusCode, header::LOCATION};
use salvo::{Depot, Request, Response, Router, handler};

use super::{
    json::{self, Json},
    state,
};
use crate::{
    error::AppError,
    users::{self, User},
};

pub(super) fn routes() -> Router {
    Router::new()
        .push(Router::with_path("/users").post(create))
        .push(Router::with_path("/users/{id}").get(show))
}

#[handler]
async fn show(request: &mut Request, depot: &mut Depot) -> Result<Json<User>, AppError> {
    let id = request.try_param("id")?;
    Ok(Json(users::get(state(depot), id).await?))
}

#[handler]
async fn create(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<Json<User>, AppError> {
    let user = json::read(request).await?;
    let user = users::create(state(depot), user).await?;
    let location = format!("/users/{}", user.id);
    response
        .status_code(StatusCode::CREATED)
        .add_header(LOCATION, location, true)
        .map_err(AppError::internal)?;
    Ok(Json(user))
}

use http::StatusCode;
use rocket::{Route, State, get, post, response::status::Created, routes};

use super::{error::rejected, extract::Json};
use crate::{
    error::AppError,
    state::AppState,
    users::{self, NewUser, User},
};

pub(super) fn routes() -> Vec<Route> {
    routes![show, create]
}

#[get("/users/<id>")]
async fn show(state: &State<AppState>, id: Result<i64, &str>) -> Result<Json<User>, AppError> {
    let id = id.map_err(|_| {
        rejected(
            StatusCode::BAD_REQUEST,
            "the id must be a number".to_owned(),
        )
    })?;
    Ok(Json(users::get(state, id).await?))
}

#[post("/users", data = "<user>")]
async fn create(
    state: &State<AppState>,
    user: Result<Json<NewUser>, AppError>,
) -> Result<Created<Json<User>>, AppError> {
    let Json(user) = user?;
    let user = users::create(state, user).await?;
    Ok(Created::new(format!("/users/{}", user.id)).body(Json(user)))
}

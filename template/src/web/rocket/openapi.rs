use rocket::{
    Route, State, get,
    response::content::{RawHtml, RawJson},
    routes,
};

use crate::{error::AppError, openapi, state::AppState};

pub(super) fn routes() -> Vec<Route> {
    routes![document, page]
}

#[get("/openapi.json")]
fn document() -> RawJson<&'static str> {
    RawJson(openapi::document())
}

#[get("/docs")]
fn page(state: &State<AppState>) -> Result<RawHtml<&'static str>, AppError> {
    Ok(RawHtml(state.openapi.page()?))
}

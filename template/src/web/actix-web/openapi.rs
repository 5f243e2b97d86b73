use actix_web::{
    HttpResponse,
    http::header::ContentType,
    web::{Data, ServiceConfig},
};

use super::layers::{get, resource};
use crate::{error::AppError, openapi, state::AppState};

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(resource("/openapi.json", "GET, HEAD").route(get().to(document)))
        .service(resource("/docs", "GET, HEAD").route(get().to(page)));
}

async fn document() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .content_type(ContentType::json())
        .body(openapi::document())
}

async fn page(state: Data<AppState>) -> Result<HttpResponse, AppError> {
    let page = state.openapi.page()?;
    let mut response = HttpResponse::Ok();
    Ok(response.content_type(ContentType::html()).body(page))
}

use http::{HeaderValue, header::CONTENT_TYPE};
use salvo::{Depot, Response, Router, handler};

use super::state;
use crate::{error::AppError, openapi};

pub(super) fn routes() -> Router {
    Router::new()
        .push(Router::with_path("/openapi.json").get(document))
        .push(Router::with_path("/docs").get(page))
}

#[handler]
async fn document(response: &mut Response) {
    write(response, "application/json", openapi::document());
}

#[handler]
async fn page(depot: &mut Depot, response: &mut Response) -> Result<(), AppError> {
    let html = state(depot).openapi.page()?;
    write(response, "text/html; charset=utf-8", html);
    Ok(())
}

fn write(response: &mut Response, content_type: &'static str, text: &'static str) {
    let content_type = HeaderValue::from_static(content_type);
    response.headers.insert(CONTENT_TYPE, content_type);
    response.body(text);
}

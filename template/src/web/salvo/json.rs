//! JSON as RFC 8259 has it. salvo's own reader takes an empty body for `null`, and its writer names a charset, a
//! parameter that JSON does not have (<https://www.rfc-editor.org/rfc/rfc8259#section-11>).

use http::{HeaderValue, header::CONTENT_TYPE};
use salvo::{Request, Response, Scribe, http::ParseError};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::AppError;

/// A response of this.
pub(super) struct Json<T>(pub T);

impl<T: Serialize + Send> Scribe for Json<T> {
    fn render(self, response: &mut Response) {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let content_type = HeaderValue::from_static("application/json");
                response.headers.insert(CONTENT_TYPE, content_type);
                response.body(body);
            }
            Err(error) => AppError::internal(error).render(response),
        }
    }
}

/// The request's body.
///
/// # Errors
/// 415 when it is not said to be JSON, 413 when it is too large, 400 when it is malformed, 422 when it is of another shape.
pub(super) async fn read<T: DeserializeOwned>(request: &mut Request) -> Result<T, AppError> {
    let is_json = request.content_type().is_some_and(|media| {
        let is_json = media.suffix().unwrap_or_else(|| media.subtype()) == "json";
        media.type_() == "application" && is_json
    });
    if !is_json {
        return Err(ParseError::InvalidContentType.into());
    }
    let body = request.payload().await?;
    Ok(serde_json::from_slice(body).map_err(ParseError::from)?)
}

#![expect(dead_code, reason = "they show a shape; nobody reads them")]

use utoipa::{OpenApi, ToSchema};

use crate::error;

#[derive(OpenApi)]
#[openapi(components(schemas(Problem)))]
pub(super) struct Api;

/// Why a request was not fulfilled: <https://www.rfc-editor.org/rfc/rfc9457>.
#[derive(ToSchema)]
pub(super) struct Problem {
    r#type: String,
    /// What the status means.
    title: String,
    /// As the response's.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request. Of failures of the service it says little or nothing.
    #[schema(required = false)]
    detail: String,
    /// Each field that is not valid.
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// Where to look it up.
    #[schema(required = false, pattern = "^[0-9a-f]{32}$")]
    trace_id: String,
}

/// A field that is not valid, and why.
#[derive(ToSchema)]
struct FieldError {
    field: String,
    detail: String,
}

const _: fn(error::FieldError) -> FieldError = |error::FieldError { field, detail }| FieldError {
    field: field.to_owned(),
    detail: detail.to_owned(),
};

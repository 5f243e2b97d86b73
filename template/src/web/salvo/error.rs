//! Errors as responses, and the errors that the framework itself makes.

use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use salvo::{Response, Scribe, http::ParseError};

use crate::error::{Answer, AppError, Failure, PROBLEM_JSON};

impl Scribe for AppError {
    fn render(self, response: &mut Response) {
        let Answer {
            status,
            body,
            retry_after,
            error_type,
        } = self.into();
        let content_type = HeaderValue::from_static(PROBLEM_JSON);
        response.headers.insert(CONTENT_TYPE, content_type);
        if let Some(seconds) = retry_after {
            let seconds = HeaderValue::from_static(seconds);
            response.headers.insert(RETRY_AFTER, seconds);
        }
        if let Some(error_type) = error_type {
            response.extensions.insert(error_type);
        }
        response.status_code(status).body(body);
    }
}

pub(super) fn no_method() -> AppError {
    rejected(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not allowed here".to_owned(),
    )
}

/// Answers 503 for a handler that takes too long.
pub(super) fn too_slow() -> AppError {
    failed(StatusCode::SERVICE_UNAVAILABLE, "timeout")
}

/// Answers 500 for a handler that panicked. The panic itself is on record by telemetry's panic hook.
pub(super) fn panicked() -> AppError {
    failed(StatusCode::INTERNAL_SERVER_ERROR, "panic")
}

/// What a status that salvo or a hoop of it has set without a body stands for.
pub(super) fn bare(status: StatusCode) -> AppError {
    let reason = status.canonical_reason().unwrap_or("Error");
    match status {
        StatusCode::NOT_FOUND => AppError::NotFound("page"),
        _ if status.is_server_error() => failed(status, "internal"),
        _ => rejected(status, reason.to_lowercase()),
    }
}

fn failed(status: StatusCode, kind: &'static str) -> AppError {
    AppError::Failed(Failure {
        status,
        kind,
        detail: None,
        is_transient: false,
        cause: None,
    })
}

fn rejected(status: StatusCode, detail: String) -> AppError {
    AppError::Rejected { status, detail }
}

impl From<ParseError> for AppError {
    fn from(error: ParseError) -> Self {
        let status = match &error {
            ParseError::InvalidContentType => {
                let detail = "the content type must be application/json";
                return rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail.to_owned());
            }
            ParseError::PayloadTooLarge => {
                let detail = "the body is too large";
                return rejected(StatusCode::PAYLOAD_TOO_LARGE, detail.to_owned());
            }
            // Well-formed, but not what is asked for.
            ParseError::SerdeJson(error) if error.is_data() => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::misread(status, "the request", &error.to_string())
    }
}

//! Errors as responses, and the errors that the framework itself makes.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use actix_web::{
    Error, HttpResponse, ResponseError as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::{InternalError, JsonPayloadError, PathError, QueryPayloadError},
    http::header::{ALLOW, HeaderValue, RETRY_AFTER},
    middleware::Next,
};
use http::StatusCode;

use crate::{
    error::{Answer, AppError, Failure, PROBLEM_JSON},
    health,
    overload::Gate,
};

// No `ResponseError`: that answers from a reference, as often as it is asked, and this error is recorded once.
impl From<AppError> for Error {
    fn from(error: AppError) -> Self {
        let Answer {
            status,
            body,
            retry_after,
            error_type,
        } = error.into();
        // The framework's type of statuses is that of another version of `http`.
        let status = actix_web::http::StatusCode::from_u16(status.as_u16())
            .expect("both types allow the same statuses");
        let mut response = HttpResponse::build(status)
            .content_type(PROBLEM_JSON)
            .body(body);
        if let Some(seconds) = retry_after {
            let seconds = HeaderValue::from_static(seconds);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        if let Some(error_type) = error_type {
            response.extensions_mut().insert(error_type);
        }
        InternalError::from_response(status, response).into()
    }
}

pub(super) async fn no_route() -> Result<HttpResponse, AppError> {
    Err(AppError::NotFound("page"))
}

/// `allowed` are the methods there are: <https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6>.
pub(super) async fn no_method(allowed: &'static str) -> HttpResponse {
    let error = Error::from(rejected(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not allowed here".to_owned(),
    ));
    let mut response = error.error_response();
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// Answers 503 while too many requests are being served.
pub(super) async fn unless_overloaded<B: MessageBody>(
    gate: Gate,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let admitted = if health::PATHS.contains(&request.path()) {
        None
    } else {
        Some(gate.enter()?)
    };
    let response = next.call(request).await;
    drop(admitted);
    response
}

/// Answers 503 for a handler that takes longer than `limit`, and drops it.
pub(super) async fn in_time<B: MessageBody>(
    limit: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let handled = tokio::time::timeout(limit, next.call(request)).await;
    handled.unwrap_or_else(|_| Err(failed(StatusCode::SERVICE_UNAVAILABLE, "timeout").into()))
}

/// Answers 500 for a handler that panicked. The panic itself is on record by telemetry's panic hook.
pub(super) async fn unpanicked<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut handled = pin!(async { next.call(request).await });
    // What the handler was at when it panicked is dropped with it, never seen again.
    poll_fn(|task| {
        let polled = catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(task)));
        polled.unwrap_or_else(|_| {
            Poll::Ready(Err(
                failed(StatusCode::INTERNAL_SERVER_ERROR, "panic").into()
            ))
        })
    })
    .await
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

impl From<JsonPayloadError> for AppError {
    fn from(error: JsonPayloadError) -> Self {
        let status = match &error {
            JsonPayloadError::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            // JSON, but not of this shape.
            JsonPayloadError::Deserialize(error) if error.is_data() => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            error => StatusCode::from_u16(error.status_code().as_u16())
                .expect("both types allow the same statuses"),
        };
        match error {
            JsonPayloadError::ContentType => rejected(
                status,
                "the content type must be application/json".to_owned(),
            ),
            error => Self::misread(status, "the body", &error.to_string()),
        }
    }
}

impl From<PathError> for AppError {
    fn from(error: PathError) -> Self {
        Self::misread(StatusCode::BAD_REQUEST, "the path", &error.to_string())
    }
}

impl From<QueryPayloadError> for AppError {
    fn from(error: QueryPayloadError) -> Self {
        Self::misread(StatusCode::BAD_REQUEST, "the query", &error.to_string())
    }
}

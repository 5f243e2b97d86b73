//! Errors as responses, and the errors that the framework itself makes.

use std::{any::Any, time::Duration};

use axum::{
    extract::{
        Request, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::{
    error::{Answer, AppError, Failure, PROBLEM_JSON},
    health,
    overload::Gate,
};

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let Answer {
            status,
            body,
            retry_after,
            error_type,
        } = self.into();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if let Some(seconds) = retry_after {
            let seconds = HeaderValue::from_static(seconds);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        if let Some(error_type) = error_type {
            response.extensions_mut().insert(error_type);
        }
        response
    }
}

pub(super) async fn no_route() -> AppError {
    AppError::NotFound("page")
}

pub(super) async fn no_method() -> AppError {
    rejected(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not allowed here".to_owned(),
    )
}

/// Answers 503 while too many requests are being served.
pub(super) async fn unless_overloaded(
    State(gate): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, AppError> {
    let admitted = if health::PATHS.contains(&request.uri().path()) {
        None
    } else {
        Some(gate.enter()?)
    };
    let response = next.run(request).await;
    drop(admitted);
    Ok(response)
}

/// Answers 503 for a handler that takes too long, and drops it.
pub(super) async fn in_time(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    let handled = tokio::time::timeout(limit, next.run(request)).await;
    handled.unwrap_or_else(|_| failed(StatusCode::SERVICE_UNAVAILABLE, "timeout").into_response())
}

/// Answers 500 for a handler that panicked. The panic itself is on record by telemetry's panic hook.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    failed(StatusCode::INTERNAL_SERVER_ERROR, "panic").into_response()
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

impl From<JsonRejection> for AppError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_) => {
                Self::misread(rejection.status(), "the body", &rejection.body_text())
            }
            other => rejected(other.status(), other.body_text()),
        }
    }
}

impl From<PathRejection> for AppError {
    fn from(rejection: PathRejection) -> Self {
        Self::misread(rejection.status(), "the path", &rejection.body_text())
    }
}

impl From<QueryRejection> for AppError {
    fn from(rejection: QueryRejection) -> Self {
        Self::misread(rejection.status(), "the query", &rejection.body_text())
    }
}

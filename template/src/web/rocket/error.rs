//! Errors as responses, and the errors that the framework itself makes.

use std::io::Cursor;

use http::StatusCode;
use rocket::{
    Request, Response,
    catcher::BoxFuture,
    http::{Header, Status},
    response::{self, Responder},
};
use telemetry::http_server::{fail, routes_of_path};

use crate::error::{Answer, AppError, Failure, PROBLEM_JSON};

impl<'r> Responder<'r, 'static> for AppError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Answer {
            status,
            body,
            retry_after,
            error_type,
        } = self.into();
        if let Some(error_type) = error_type {
            fail(request, error_type);
        }
        let mut response = Response::build();
        if let Some(seconds) = retry_after {
            response.raw_header("retry-after", seconds);
        }
        response
            .status(Status::new(status.as_u16()))
            .header(Header::new("content-type", PROBLEM_JSON))
            .sized_body(body.len(), Cursor::new(body))
            .ok()
    }
}

/// Answers what no handler has answered.
pub(super) fn uncaught<'r>(status: Status, request: &'r Request<'_>) -> BoxFuture<'r> {
    Box::pin(async move {
        if request.route().is_none() {
            return no_route(request);
        }
        let status = StatusCode::from_u16(status.code).unwrap_or_default();
        let error = if status.is_server_error() {
            failed(status, "internal")
        } else {
            let reason = status.canonical_reason().unwrap_or("refused");
            rejected(status, reason.to_lowercase())
        };
        error.respond_to(request)
    })
}

/// Rocket finds a route by path and method at once, and refuses a method that it does not know before it looks for one
/// (400, with GET in the method's place). So what is missing shows only here.
fn no_route<'r>(request: &'r Request<'_>) -> response::Result<'r> {
    let mut methods: Vec<_> = routes_of_path(request)
        .map(|route| route.method.as_str())
        .collect();
    if methods.is_empty() {
        return AppError::NotFound("page").respond_to(request);
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    let error = rejected(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not allowed here".to_owned(),
    );
    let mut response = error.respond_to(request)?;
    response.set_raw_header("allow", methods.join(","));
    Ok(response)
}

/// The answer for a handler that takes too long.
pub(super) fn too_late() -> AppError {
    failed(StatusCode::SERVICE_UNAVAILABLE, "timeout")
}

/// The answer for a handler that panicked. The panic itself is on record by telemetry's panic hook.
pub(super) fn panicked() -> AppError {
    failed(StatusCode::INTERNAL_SERVER_ERROR, "panic")
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

pub(super) fn rejected(status: StatusCode, detail: String) -> AppError {
    AppError::Rejected { status, detail }
}

//! Errors as RFC 9457 `application/problem+json`.

use axum::{
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

pub const PROBLEM_JSON: &str = "application/problem+json";

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(&'static str),
    #[error("some fields are not valid")]
    Invalid(Vec<FieldError>),
    #[error("{detail}")]
    Rejected { status: StatusCode, detail: String },
    #[error("{}", detail.unwrap_or_default())]
    Failed {
        status: StatusCode,
        detail: Option<&'static str>,
        is_transient: bool,
    },
}

#[derive(Debug, Serialize)]
pub struct FieldError {
    pub field: &'static str,
    pub detail: &'static str,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl AppError {
    pub fn failed(status: StatusCode, detail: Option<&'static str>) -> Self {
        Self::Failed {
            status,
            detail,
            is_transient: false,
        }
    }

    pub fn transient(detail: &'static str) -> Self {
        Self::Failed {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: Some(detail),
            is_transient: true,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Rejected { status, .. } | Self::Failed { status, .. } => *status,
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = self.status();
        let (mut errors, mut is_transient): (&[FieldError], _) = (&[], false);
        let detail = match &self {
            Self::Failed {
                detail,
                is_transient: comes_back,
                ..
            } => {
                is_transient = *comes_back;
                detail.map(str::to_owned)
            }
            Self::Invalid(fields) => {
                errors = fields;
                Some(self.to_string())
            }
            other => Some(other.to_string()),
        };
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            errors,
        };
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if is_transient {
            let seconds = HeaderValue::from_static("1");
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("{error}");
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::transient("the database is not available")
            }
            _ => Self::failed(StatusCode::INTERNAL_SERVER_ERROR, None),
        }
    }
}

fn rejected(status: StatusCode, detail: String) -> AppError {
    AppError::Rejected { status, detail }
}

impl From<JsonRejection> for AppError {
    fn from(rejection: JsonRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for AppError {
    fn from(rejection: PathRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for AppError {
    fn from(rejection: QueryRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

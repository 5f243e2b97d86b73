//! The one error type of handlers, and what clients see of it: RFC 9457 `application/problem+json`.
//!
//! Clients learn what they did wrong, and of our own failures no more than the trace id; the rest is in the trace.

use std::error::Error;

use http::StatusCode;
use serde::Serialize;

/// Why a request was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// 404: there is no such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// 409: it would clash with what is there.
    #[error("{0}")]
    Conflict(&'static str),
    /// 422: well-formed, but some fields' values are not allowed.
    #[error("some fields are not valid")]
    Invalid(Vec<FieldError>),
    /// Another 4xx: the request itself is not acceptable.
    #[error("{detail}")]
    Rejected { status: StatusCode, detail: String },
    /// 5xx: we failed.
    #[error("{}", .0.kind)]
    Failed(Failure),
}

/// A field that is not valid, and why.
#[derive(Debug, Serialize)]
pub struct FieldError {
    pub field: &'static str,
    pub detail: &'static str,
}

/// A failure of our own.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    /// `error.type` of the server span and metric: a word out of few.
    pub kind: &'static str,
    /// What the client may know.
    pub detail: Option<&'static str>,
    /// Whether the same request may succeed in a moment: then the client is told to come back.
    pub is_transient: bool,
    /// What happened, for the trace. None when it is on record already.
    pub cause: Option<Cause>,
}

/// An error with the name of its type, which a `Box<dyn Error>` forgets.
#[derive(Debug)]
pub struct Cause {
    error: Box<dyn Error + Send + Sync>,
    type_name: &'static str,
}

impl<E: Error + Send + Sync + 'static> From<E> for Cause {
    fn from(error: E) -> Self {
        Self {
            error: Box::new(error),
            type_name: std::any::type_name::<E>(),
        }
    }
}

impl Failure {
    /// Puts the cause on record, on the current span. For boundaries only: there the answer is made.
    pub(crate) fn report(&self) {
        if let Some(cause) = &self.cause {
            cause.report();
        }
    }
}

impl Cause {
    /// Puts it on record, on the span at hand.
    pub fn report(&self) {
        telemetry::report_exception(self.type_name, self.error.as_ref());
    }
}

impl AppError {
    /// A failure nobody foresaw: `.map_err(AppError::internal)?`.
    pub fn internal(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Failure {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "internal",
            detail: None,
            is_transient: false,
            cause: Some(error.into()),
        })
    }

    /// `what`, such as `the body`, cannot be read. Of the parser's words clients get what names their fields and places:
    /// the rest names our types, and quotes what was sent.
    pub fn misread(status: StatusCode, what: &str, words: &str) -> Self {
        let mut detail = format!("{what} cannot be read");
        if let Some(reason) = reason(words) {
            detail += ": ";
            detail += &reason;
        }
        if let Some(place) = place(words) {
            detail += ", line ";
            detail += place;
        }
        Self::Rejected { status, detail }
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Rejected { status, .. } => *status,
            Self::Failed(failure) => failure.status,
        }
    }
}

fn reason(words: &str) -> Option<String> {
    let field = |problem: &str| {
        let (_, rest) = words.split_once(&format!("{problem} field `"))?;
        let (name, _) = rest.split_once('`')?;
        let is_ours = |name: &str| {
            name.len() <= 64
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        is_ours(name).then(|| format!("{problem} field `{name}`"))
    };
    let number = || {
        let is = |part| words.contains(part);
        let digits = is("invalid digit") || is("cannot parse integer");
        digits.then(|| "a whole number is expected".to_owned())
    };
    field("missing")
        .or_else(|| field("duplicate"))
        .or_else(number)
}

/// `1 column 5`, at the end of `… at line 1 column 5`.
fn place(words: &str) -> Option<&str> {
    let (_, place) = words.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(line) && is_number(column)).then_some(place)
}

/// An error as it is answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// The body, of type [`PROBLEM_JSON`].
    pub body: String,
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<&'static str>,
    /// For the server span and metric.
    pub error_type: Option<telemetry::http_server::ErrorType>,
}

/// The media type of error bodies.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// When to come back, in seconds: <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>.
const RETRY_AFTER: &str = "1";

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl From<AppError> for Answer {
    /// The boundary: a failure that is not on record yet is recorded here, on the server span.
    fn from(error: AppError) -> Self {
        let status = error.status();
        let mut errors: &[FieldError] = &[];
        let (mut error_type, mut retry_after) = (None, None);
        let detail = match &error {
            AppError::Failed(failure) => {
                error_type = Some(telemetry::http_server::ErrorType(failure.kind));
                retry_after = failure.is_transient.then_some(RETRY_AFTER);
                failure.report();
                failure.detail.map(str::to_owned)
            }
            AppError::Invalid(fields) => {
                errors = fields;
                Some(error.to_string())
            }
            other => Some(other.to_string()),
        };
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            errors,
            trace_id: telemetry::current_trace_id(),
        };
        let body =
            serde_json::to_string(&problem).expect("a problem holds strings and numbers only");
        Self {
            status,
            body,
            retry_after,
            error_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_hear_of_their_fields_and_not_of_our_types() {
        for (words, detail) in [
            (
                "missing field `email` at line 1 column 12",
                "the body cannot be read: missing field `email`, line 1 column 12",
            ),
            (
                "name: invalid type: integer `5`, expected a string at line 1 column 9",
                "the body cannot be read, line 1 column 9",
            ),
            (
                "invalid length 1, expected struct NewUser with 2 elements",
                "the body cannot be read",
            ),
            (
                "limit: invalid digit found in string",
                "the body cannot be read: a whole number is expected",
            ),
            ("missing field `<b>` at line x", "the body cannot be read"),
        ] {
            let error = AppError::misread(StatusCode::BAD_REQUEST, "the body", words);
            assert_eq!(error.to_string(), detail);
        }
    }
}

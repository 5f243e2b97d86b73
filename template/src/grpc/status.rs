//! Errors as gRPC statuses: <https://grpc.io/docs/guides/status-codes/>.

use std::any::Any;

use http::StatusCode;
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::error::{AppError, FieldError};

impl From<AppError> for Status {
    /// The boundary: a failure that is not on record yet is recorded here, on the server span.
    fn from(error: AppError) -> Self {
        let message = error.to_string();
        match error {
            AppError::NotFound(_) => Self::not_found(message),
            AppError::Conflict(_) => Self::already_exists(message),
            AppError::Invalid(fields) => {
                let fields: Vec<_> = fields.into_iter().map(violation).collect();
                let details = ErrorDetails::with_bad_request(fields);
                Self::with_error_details(Code::InvalidArgument, message, details)
            }
            AppError::Rejected { .. } => Self::invalid_argument(message),
            AppError::Failed(failure) => {
                failure.report();
                if failure.status == StatusCode::SERVICE_UNAVAILABLE {
                    Self::unavailable(failure.detail.unwrap_or_default())
                } else {
                    Self::internal("")
                }
            }
        }
    }
}

fn violation(FieldError { field, detail }: FieldError) -> FieldViolation {
    FieldViolation::new(field, detail)
}

/// Answers INTERNAL for a method that panicked. The panic itself is on record by telemetry's panic hook.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> http::Response<Body> {
    let mut response = Status::internal("").into_http();
    response
        .extensions_mut()
        .insert(telemetry::grpc::ErrorType("panic"));
    response
}

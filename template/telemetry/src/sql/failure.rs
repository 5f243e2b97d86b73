//! What a failed operation says of its error: codes and classes. Never its text, which may quote values:
//! `Key (email)=(ada@example.com) already exists`.

use std::{borrow::Cow, error, fmt::Write as _};

use opentelemetry::{KeyValue, Value};
use opentelemetry_semantic_conventions::attribute::{DB_RESPONSE_STATUS_CODE, ERROR_TYPE};
use sqlx::{
    Error,
    error::{DatabaseError, ErrorKind},
};

use super::backend;

pub(super) struct Failure {
    /// Of the span and of the metric.
    pub(super) attributes: Vec<KeyValue>,
    /// Of the span's status.
    pub(super) description: &'static str,
}

impl Failure {
    /// `None` if the operation did what it should: a query that found no row has not failed.
    ///
    /// `error.type` is the database's code, as <https://opentelemetry.io/docs/specs/semconv/db/database-spans/> asks, or
    /// the class of an error that the database never saw.
    pub(super) fn of(error: &Error) -> Option<Self> {
        if matches!(error, Error::RowNotFound) {
            return None;
        }
        let code = error
            .as_database_error()
            .and_then(backend::status_code)
            .map(Cow::into_owned);
        let class = class(error);
        let attributes = match code {
            Some(code) => {
                let code = Value::from(code);
                vec![
                    KeyValue::new(DB_RESPONSE_STATUS_CODE, code.clone()),
                    KeyValue::new(ERROR_TYPE, code),
                ]
            }
            None => vec![KeyValue::new(ERROR_TYPE, class)],
        };
        Some(Self {
            attributes,
            description: class,
        })
    }
}

/// What stands for an error's text on record, where that may quote values.
pub(super) fn discreet(error: &(dyn error::Error + 'static)) -> Option<String> {
    // The cause of an sqlx error, which one that wraps it in silence shows as its own.
    if let Some(error) = error.downcast_ref::<Box<dyn DatabaseError>>() {
        return of_database(error.as_ref());
    }
    match error.downcast_ref::<Error>()? {
        Error::Database(error) => of_database(error.as_ref()),
        Error::ColumnDecode { index, .. } => Some(format!("column {index} cannot be decoded")),
        Error::Decode(_) => Some("a value cannot be decoded".to_owned()),
        Error::Encode(_) | Error::InvalidArgument(_) => {
            Some("a value cannot be encoded".to_owned())
        }
        _ => None,
    }
}

/// `unique_violation 1062, constraint users.email`
fn of_database(error: &dyn DatabaseError) -> Option<String> {
    if backend::quotes_names_only(error) {
        return None;
    }
    let mut text = class_of_database(error).to_owned();
    // Writing to a String cannot fail.
    if let Some(code) = backend::status_code(error) {
        let _ = write!(text, " {code}");
    }
    if let Some(constraint) = backend::constraint(error) {
        let _ = write!(text, ", constraint {constraint}");
    }
    Some(text)
}

fn class_of_database(error: &dyn DatabaseError) -> &'static str {
    match error.kind() {
        ErrorKind::UniqueViolation => "unique_violation",
        ErrorKind::ForeignKeyViolation => "foreign_key_violation",
        ErrorKind::NotNullViolation => "not_null_violation",
        ErrorKind::CheckViolation => "check_violation",
        ErrorKind::ExclusionViolation => "exclusion_violation",
        _ => "database",
    }
}

fn class(error: &Error) -> &'static str {
    match error {
        Error::Database(error) => class_of_database(error.as_ref()),
        Error::BeginFailed | Error::InvalidSavePointStatement => "transaction",
        Error::ColumnDecode { .. } | Error::Decode(_) => "decode",
        Error::ColumnIndexOutOfBounds { .. } | Error::ColumnNotFound(_) => "column_not_found",
        Error::Configuration(_) => "configuration",
        Error::Encode(_) | Error::InvalidArgument(_) => "encode",
        Error::Io(_) => "io",
        Error::PoolClosed => "pool_closed",
        Error::PoolTimedOut => "pool_timed_out",
        Error::Protocol(_) => "protocol",
        Error::Tls(_) => "tls",
        Error::TypeNotFound { .. } => "type_not_found",
        Error::WorkerCrashed => "worker_crashed",
        _ => "_OTHER",
    }
}

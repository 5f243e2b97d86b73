//! What a failed operation says of its error: codes and classes. Never its text, which quotes arguments:
//! `ERR unknown command 'FOO', with args beginning with: 'secret'`.

use std::error::Error;

use opentelemetry::{KeyValue, Value as Text};
use opentelemetry_semantic_conventions::attribute::{DB_RESPONSE_STATUS_CODE, ERROR_TYPE};
use redis::{ErrorKind, RedisError, ServerError, Value};

/// Redis' own codes are shorter.
const LONGEST_CODE: usize = 32;

/// Why an operation failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// `db.response.status_code`: the first word of the server's error.
    code: Option<String>,
    /// `error.type`: the code, or the class of an error that the server never saw.
    error_type: String,
}

/// The error as `error.type` has it, such as `WRONGTYPE`, `timeout` or `connection_refused`. Unlike the error's text it
/// holds no argument, so it may be logged.
#[must_use]
pub fn error_type(error: &RedisError) -> String {
    Failure::from(error).error_type
}

/// What stands for an error's text on record.
pub(super) fn discreet(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<RedisError>()?;
    Some(format!("Redis: {}", error_type(error)))
}

impl Failure {
    /// A server's error comes as a reply, one inside the reply to `EXEC` included. The first of a batch counts for all.
    pub(super) fn of(replies: Result<&[Value], &RedisError>) -> Option<Self> {
        match replies {
            Ok(replies) => replies.iter().find_map(server_error).map(Self::from),
            Err(error) => Some(error.into()),
        }
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = KeyValue> + use<> {
        let code = self.code.clone().map(Text::from);
        let code = code.map(|code| KeyValue::new(DB_RESPONSE_STATUS_CODE, code));
        let error_type = KeyValue::new(ERROR_TYPE, Text::from(self.error_type.clone()));
        code.into_iter().chain([error_type])
    }

    /// Of the span's status.
    pub(super) fn description(&self) -> String {
        self.error_type.clone()
    }

    fn with_code(code: &str) -> Self {
        // A script answers what it likes: only what looks like a code is one.
        let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_code = (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(upper);
        Self {
            code: is_code.then(|| code.to_owned()),
            error_type: if is_code { code } else { "_OTHER" }.to_owned(),
        }
    }
}

impl From<&ServerError> for Failure {
    fn from(error: &ServerError) -> Self {
        Self::with_code(error.code())
    }
}

impl From<&RedisError> for Failure {
    fn from(error: &RedisError) -> Self {
        if let Some(code) = error.code() {
            return Self::with_code(code);
        }
        match error.clone().into_server_errors().as_deref() {
            Some([(_, first), ..]) => first.into(),
            _ => Self {
                code: None,
                error_type: class(error).to_owned(),
            },
        }
    }
}

fn server_error(reply: &Value) -> Option<&ServerError> {
    match reply {
        Value::ServerError(error) => Some(error),
        Value::Array(items) => items.iter().find_map(server_error),
        _ => None,
    }
}

fn class(error: &RedisError) -> &'static str {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => "timeout",
        ErrorKind::Io if error.is_connection_refusal() => "connection_refused",
        ErrorKind::Io if error.is_connection_dropped() => "connection_lost",
        ErrorKind::Io => "io",
        ErrorKind::AuthenticationFailed => "authentication_failed",
        ErrorKind::InvalidClientConfig => "configuration",
        ErrorKind::Parse => "parse",
        ErrorKind::UnexpectedReturnType => "unexpected_return_type",
        ErrorKind::Client => "client",
        _ => "_OTHER",
    }
}

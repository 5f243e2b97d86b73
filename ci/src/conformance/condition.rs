//! When an attribute must be there.

use serde::Deserialize;

use super::registry::is_system;
use crate::signals::{Attributes, Value};

/// A condition of the conventions that can be decided from a signal and its [`Facts`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Condition {
    Always,
    /// The operation failed.
    Failed,
    /// It did not.
    Succeeded,
    /// It failed with a code of the other side's own.
    CodeKnown,
    /// There was a response.
    Answered,
    /// The framework matched a route.
    Routed,
    /// The request had a query.
    QuerySent,
    /// The method is none of the well-known.
    OtherMethod,
    /// The other side is reached over a network: not a database in the process.
    OverANetwork,
    /// Another attribute is there.
    Has(String),
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "always" => Self::Always,
            "failed" => Self::Failed,
            "succeeded" => Self::Succeeded,
            "code known" => Self::CodeKnown,
            "answered" => Self::Answered,
            "routed" => Self::Routed,
            "query sent" => Self::QuerySent,
            "other method" => Self::OtherMethod,
            "over a network" => Self::OverANetwork,
            other => match other.strip_prefix("has ") {
                Some(key) => Self::Has(key.to_owned()),
                None => return Err(format!("no condition `{other}`")),
            },
        })
    }
}

/// What is known of a signal besides its attributes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    pub failed: bool,
    /// The one who waited for it went away.
    pub cancelled: bool,
    /// `None` when nobody knows.
    pub query_sent: Option<bool>,
}

impl Condition {
    /// `None` when it cannot be decided.
    pub fn holds(&self, attributes: &Attributes, facts: &Facts) -> Option<bool> {
        let error_type = attributes.get("error.type").and_then(Value::as_str);
        let status = attributes
            .get("http.response.status_code")
            .and_then(Value::as_int);
        Some(match self {
            Self::Always => true,
            Self::Failed => facts.failed,
            Self::Succeeded => !facts.failed && !facts.cancelled,
            Self::CodeKnown => {
                // Redis' codes are words.
                let words = is_system(Some("redis"), attributes);
                let known = |error: &str| is_code(error) || (words && is_upper(error));
                facts.failed && error_type.is_some_and(known)
            }
            // Without a response there is an error that says why, unless the caller gave up.
            Self::Answered => match error_type {
                None => status.is_some() || !facts.cancelled,
                Some("panic") => true,
                Some(error) => is_code(error),
            },
            // 404 and 405 may come from the router itself, which then has no route to name.
            Self::Routed => {
                !facts.cancelled && status.is_some_and(|status| status != 404 && status != 405)
            }
            Self::QuerySent => facts.query_sent?,
            Self::OtherMethod => ["http.request.method", "rpc.method"]
                .iter()
                .any(|key| attributes.get(*key).and_then(Value::as_str) == Some("_OTHER")),
            Self::OverANetwork => {
                attributes.get("db.system.name").and_then(Value::as_str) != Some("sqlite")
            }
            Self::Has(key) => attributes.contains_key(key),
        })
    }

    /// Whether the attribute must be absent when the condition does not hold.
    pub fn is_strict(&self) -> bool {
        matches!(
            self,
            Self::Failed | Self::OtherMethod | Self::QuerySent | Self::CodeKnown
        )
    }
}

/// A status code, SQLSTATE or vendor code, not the name of an error.
fn is_code(error_type: &str) -> bool {
    is_upper(error_type) && error_type.contains(|c: char| c.is_ascii_digit())
}

fn is_upper(error_type: &str) -> bool {
    let upper = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    error_type.chars().all(upper)
}

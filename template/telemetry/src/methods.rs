//! Which methods may appear in signals as they are: a made-up one must not make a new time series.

use std::{borrow::Cow, env};

/// `http.request.method` of all others.
pub(crate) const OTHER: &str = "_OTHER";

/// Of RFC 9110, and PATCH and QUERY.
const STANDARD: [&str; 10] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "CONNECT", "TRACE",
];

#[derive(Debug)]
pub(crate) struct KnownMethods(Vec<Cow<'static, str>>);

impl KnownMethods {
    /// The standard ones, unless `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` lists others instead, as the convention asks:
    /// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>.
    pub(crate) fn from_env() -> Self {
        let list = env::var("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS").unwrap_or_default();
        Self::from_list(&list)
    }

    pub(crate) fn from_list(list: &str) -> Self {
        let listed = list
            .split(',')
            .map(str::trim)
            .filter(|method| !method.is_empty());
        let listed: Vec<_> = listed.map(|method| Cow::Owned(method.to_owned())).collect();
        if listed.is_empty() {
            Self(STANDARD.map(Cow::Borrowed).to_vec())
        } else {
            Self(listed)
        }
    }

    /// Methods are case-sensitive.
    pub(crate) fn get(&self, method: &str) -> Option<Cow<'static, str>> {
        self.0.iter().find(|known| *known == method).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_replaced() {
        let knows = |list: &str, method| KnownMethods::from_list(list).get(method).is_some();
        assert!(knows("", "GET") && knows(" , ", "QUERY"));
        assert!(!knows("", "get") && !knows("", "PURGE"));
        assert!(knows("GET, PURGE", "PURGE") && !knows("GET, PURGE", "POST"));
    }
}

//! Context that leaves with a call, and to whom the session and baggage may be sent.
//!
//! `traceparent` always leaves. The session and what else is in the baggage may be nobody else's business, so they leave
//! only to the hosts in `TELEMETRY_TRUSTED_HOSTS`.

use std::env;

use http::{HeaderMap, HeaderValue};
use opentelemetry::{Context, global};
use opentelemetry_http::HeaderInjector;

use crate::session::{SESSION_HEADER, SessionId};

/// Names of hosts. One that begins with a dot stands for all hosts below it: `.example.com` for `api.example.com`, but
/// not for `example.com`.
#[derive(Debug, Default)]
pub(crate) struct TrustedHosts(Vec<String>);

impl TrustedHosts {
    /// Those in `TELEMETRY_TRUSTED_HOSTS`, separated by commas; without it there are none.
    pub(crate) fn from_env() -> Self {
        Self::from_list(&env::var("TELEMETRY_TRUSTED_HOSTS").unwrap_or_default())
    }

    pub(crate) fn from_list(list: &str) -> Self {
        let hosts = list.split(',').map(|host| host.trim().to_ascii_lowercase());
        Self(
            hosts
                .filter(|host| !host.is_empty() && host != ".")
                .collect(),
        )
    }

    pub(crate) fn contains(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|trusted| {
            if trusted.starts_with('.') {
                host.ends_with(trusted)
            } else {
                host == *trusted
            }
        })
    }
}

/// Writes `context` into the headers of a call, in place of what was there; its session and baggage only for a host that is
/// trusted.
pub(crate) fn inject(context: &Context, headers: &mut HeaderMap, trusted: bool) {
    global::get_text_map_propagator(|propagator| {
        // Those too that `context` has nothing for: a foreign `tracestate` beside our `traceparent` would be a lie.
        for name in propagator.fields() {
            headers.remove(name);
        }
        propagator.inject_context(context, &mut HeaderInjector(headers));
    });
    if !trusted {
        headers.remove("baggage");
    } else if let Some(session) = context.get::<SessionId>()
        && let Ok(session) = HeaderValue::from_str(session.as_str())
    {
        // In the baggage it would be anyone's claim: whoever is called believes this header.
        headers.insert(SESSION_HEADER, session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_exact_and_a_suffix_needs_its_dot() {
        let hosts = TrustedHosts::from_list("API.example.com, .internal,,::1");
        for trusted in [
            "api.example.com",
            "Api.Example.Com",
            "a.internal",
            "a.b.internal",
            "::1",
        ] {
            assert!(hosts.contains(trusted), "{trusted}");
        }
        for foreign in [
            "example.com",
            "xapi.example.com",
            "api.example.com.evil",
            "internal",
            "ainternal",
            "",
        ] {
            assert!(!hosts.contains(foreign), "{foreign}");
        }
        assert!(!TrustedHosts::from_list(" . ,").contains("a.b"));
    }
}

//! Context that leaves with a call, and to whom the session and baggage may be sent.
//!
//! `traceparent` always leaves. The session and what else is in the baggage may be nobody else's business, so they leave
//! only to the hosts in `TELEMETRY_TRUSTED_HOSTS`.

use std::env;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Context, global, propagation::Injector};

use crate::session::{SESSION_HEADER, SessionId};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

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
        self.0.iter().any(|trusted| {
            let mut name = host;
            if trusted.starts_with('.') {
                let end = host.len().saturating_sub(trusted.len());
                name = host.get(end..).unwrap_or_default();
            }
            name.eq_ignore_ascii_case(trusted)
        })
    }
}

/// Writes `context` into the headers of a call, in place of what was there; its session and baggage only for a host that is
/// trusted.
pub(crate) fn inject(context: &Context, headers: &mut HeaderMap, trusted: bool) {
    global::get_text_map_propagator(|propagator| {
        if !headers.is_empty() {
            // Those too that `context` has nothing for: a foreign `tracestate` beside our `traceparent` would be a lie.
            for name in propagator.fields() {
                headers.remove(name);
            }
            if !trusted {
                headers.remove(BAGGAGE);
            }
        }
        propagator.inject_context(context, &mut Outbound { headers, trusted });
    });
    if trusted
        && let Some(session) = context.get::<SessionId>()
        && let Ok(session) = HeaderValue::from_str(session.as_str())
    {
        // In the baggage it would be anyone's claim: whoever is called believes this header.
        headers.insert(SESSION_HEADER, session);
    }
}

/// Headers as propagators write them.
struct Outbound<'a> {
    headers: &'a mut HeaderMap,
    trusted: bool,
}

impl Injector for Outbound<'_> {
    /// What cannot be a header is left out.
    fn set(&mut self, key: &str, value: String) {
        // To read a name takes longer than to write the context.
        let name = match key {
            "traceparent" => Ok(TRACEPARENT),
            "tracestate" => Ok(TRACESTATE),
            "baggage" => Ok(BAGGAGE),
            other => HeaderName::try_from(other),
        };
        let name = name.ok().filter(|name| self.trusted || name != BAGGAGE);
        if let (Some(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propagators_write_headers_and_nothing_else() {
        let mut headers = HeaderMap::new();
        let mut outbound = Outbound {
            headers: &mut headers,
            trusted: true,
        };
        for (key, value) in [
            ("traceparent", "1"),
            ("X-B3", "2"),
            ("b 3", "3"),
            ("c", "\n"),
            ("traceparent", "4"),
        ] {
            outbound.set(key, value.to_owned());
        }
        let written = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let written: Vec<_> = written.collect();
        assert_eq!(written, [("traceparent", &b"4"[..]), ("x-b3", b"2")]);
    }

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

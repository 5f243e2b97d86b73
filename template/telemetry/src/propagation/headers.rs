//! The headers of a request, whatever type its library has for them.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use opentelemetry::propagation::Extractor;

/// A library's headers. A name may come more than once, and propagators must see that.
pub(crate) trait Headers {
    /// The values of `name`, whatever the case of its letters, in the order they came.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]>;

    fn names(&self) -> impl Iterator<Item = &str>;
}

/// Names that each request is asked for. To make one of a text takes longer than to find its values.
static ASKED_FOR: [(&str, HeaderName); 5] = [
    ("traceparent", HeaderName::from_static("traceparent")),
    ("tracestate", HeaderName::from_static("tracestate")),
    ("baggage", HeaderName::from_static("baggage")),
    ("x-session-id", HeaderName::from_static("x-session-id")),
    ("user-agent", header::USER_AGENT),
];

impl Headers for HeaderMap {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let values = match ASKED_FOR.iter().find(|(text, _)| *text == name) {
            Some((_, known)) => self.get_all(known),
            None => self.get_all(name),
        };
        values.iter().map(HeaderValue::as_bytes)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.keys().map(HeaderName::as_str)
    }
}

/// Headers as propagators and conventions read them.
pub(crate) struct Carrier<'a, H>(pub(crate) &'a H);

/// Stands for a value that is no text. No grammar allows it, so it spoils what it is a part of. Without it, two
/// `traceparent` headers would look like one.
const NO_TEXT: &str = "\u{FFFD}";

impl<H: Headers> Extractor for Carrier<'_, H> {
    /// The first value, if it is ASCII.
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.values(key).next()?;
        let text = str::from_utf8(value).ok()?;
        text.is_ascii().then_some(text)
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values = self.0.values(key);
        let texts = values.map(|value| str::from_utf8(value).unwrap_or(NO_TEXT));
        let texts: Vec<_> = texts.collect();
        (!texts.is_empty()).then_some(texts)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.names().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_headers_of_a_name_are_seen_in_their_order() {
        let mut headers = HeaderMap::new();
        for value in [&b"b"[..], b"a", b"\xFF", "é".as_bytes()] {
            let value = HeaderValue::from_bytes(value).expect("a value of HTTP");
            headers.append("tracestate", value);
        }
        let carrier = Carrier(&headers);
        let all = vec!["b", "a", NO_TEXT, "é"];
        assert_eq!(carrier.get_all("TraceState"), Some(all));
        assert_eq!(carrier.get("TRACESTATE"), Some("b"));
        assert_eq!(carrier.get_all("traceparent"), None);
        assert_eq!(carrier.keys(), ["tracestate"]);
    }
}

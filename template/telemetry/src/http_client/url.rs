//! `url.full` without what nobody should read:
//! <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>.

use std::borrow::Cow;

use crate::redact;

/// `url` without user name and password, and without the values of secret query keys.
pub(super) fn redacted(url: Cow<'_, str>) -> String {
    // Nothing that could hold one: the usual case. Without an early end the compiler looks at many bytes at once.
    let is_sign = |byte| matches!(byte, b'@' | b'?' | b'#');
    if !url.bytes().fold(false, |any, byte| any | is_sign(byte)) {
        return url.into_owned();
    }
    let (rest, fragment) = split(&url, '#');
    let (rest, query) = split(rest, '?');
    let (scheme, rest) = rest.split_once("://").unwrap_or(("", rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));

    let mut shown = String::with_capacity(url.len());
    if !scheme.is_empty() {
        shown.extend([scheme, "://"]);
    }
    match authority.rsplit_once('@') {
        Some((_, host)) => shown.extend([redact::REDACTED, ":", redact::REDACTED, "@", host]),
        None => shown.push_str(authority),
    }
    shown.push_str(path);
    // A fragment is not sent, but may hold the same: `#access_token=…`.
    for (separator, part) in [("?", query), ("#", fragment)] {
        if let Some(part) = part {
            shown.extend([separator, &redact::query(part)]);
        }
    }
    shown
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn hides_credentials_and_secrets_and_keeps_the_rest() {
        for (given, shown) in [
            ("https://example.com/", "https://example.com/"),
            (
                "https://example.com/a/b?q=lamp&x",
                "https://example.com/a/b?q=lamp&x",
            ),
            (
                "https://ada:secret@example.com:8443/a",
                "https://REDACTED:REDACTED@example.com:8443/a",
            ),
            (
                "https://token@example.com",
                "https://REDACTED:REDACTED@example.com",
            ),
            (
                "https://a:b@c@example.com/@x",
                "https://REDACTED:REDACTED@example.com/@x",
            ),
            (
                "https://example.com/?api_key=secret&x=1#top",
                "https://example.com/?api_key=REDACTED&x=1#top",
            ),
            ("http://[::1]:80/?a=b://c@d", "http://[::1]:80/?a=b://c@d"),
            (
                "https://example.com/#access_token=secret",
                "https://example.com/#access_token=REDACTED",
            ),
            (
                "https://example.com?X-Amz-Signature=secret",
                "https://example.com?X-Amz-Signature=REDACTED",
            ),
        ] {
            assert_eq!(redacted(given.into()), shown);
        }
    }
}

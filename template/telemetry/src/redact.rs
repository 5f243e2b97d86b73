//! Query strings without their secrets.

use std::borrow::Cow;

/// What stands in a signal where a secret stood.
pub(crate) const REDACTED: &str = "REDACTED";

/// Query keys whose values are secrets: the ones that the HTTP conventions name
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>), and the usual ones. Compared without case.
const SECRET_KEYS: [&str; 24] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "client_secret",
    "code",
    "credential",
    "id_token",
    "jwt",
    "key",
    "passwd",
    "password",
    "refresh_token",
    "secret",
    "session_token",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-signature",
];

/// `query` (without `?`) with the values of secret keys replaced; the order and everything else stay as they are.
pub(crate) fn query(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(query);
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if is_secret(pair) => format!("{key}={REDACTED}"),
        _ => pair.to_owned(),
    });
    Cow::Owned(pairs.collect::<Vec<_>>().join("&"))
}

fn is_secret(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(key, _)| {
        // A key may itself be percent-encoded: `%73ig` is `sig`.
        let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
        SECRET_KEYS
            .iter()
            .any(|secret| secret.eq_ignore_ascii_case(&key))
    })
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn replaces_the_values_of_secret_keys_only() {
        for (given, shown) in [
            ("", ""),
            ("q=lamp&limit=3", "q=lamp&limit=3"),
            ("q=lamp&sig=abc&x=1", "q=lamp&sig=REDACTED&x=1"),
            ("X-Amz-Signature=abc", "X-Amz-Signature=REDACTED"),
            ("TOKEN=a=b", "TOKEN=REDACTED"),
            ("%73ig=abc", "%73ig=REDACTED"),
            ("token", "token"),
            ("token=&&a", "token=REDACTED&&a"),
        ] {
            assert_eq!(query(given), shown);
        }
    }
}

//! Secrets, and where they are planted.

use std::collections::BTreeMap;

use super::MARK;
use crate::scenario::{Part, Parts};

/// `user:c4n4ry-upstream-password` as `Authorization: Basic` has it.
pub(super) const BASIC: &str = "dXNlcjpjNG40cnktdXBzdHJlYW0tcGFzc3dvcmQ=";

pub(super) fn secret(place: &str) -> String {
    format!("{MARK}-{place}")
}

/// Headers of every request.
pub(super) fn headers() -> Vec<(&'static str, String)> {
    vec![
        (
            "authorization",
            format!("Bearer {}", secret("authorization")),
        ),
        ("proxy-authorization", secret("proxy-authorization")),
        ("cookie", format!("login={}", secret("cookie"))),
        ("x-api-key", secret("api-key")),
        (
            "referer",
            format!("http://a.example/?token={}", secret("referer")),
        ),
        ("baggage", format!("user={}", secret("baggage"))),
    ]
}

/// Variables that a service does not read, and one that it sends to its collector.
pub(super) fn environment() -> BTreeMap<String, String> {
    let header = format!("authorization=Bearer%20{}", secret("collector-header"));
    BTreeMap::from(
        [
            ("OTEL_EXPORTER_OTLP_HEADERS", header),
            ("AWS_SECRET_ACCESS_KEY", secret("environment")),
            ("SHOP_TOKEN", secret("environment")),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// `UPSTREAM_URL` in a service that has one.
pub(super) fn upstream(parts: &Parts, address: std::net::SocketAddr) -> Option<(String, String)> {
    let (password, key) = (secret("upstream-password"), secret("upstream-key"));
    let url = format!("http://user:{password}@{address}/hello?sig={key}&page=1");
    parts
        .has(Part::Client)
        .then(|| ("UPSTREAM_URL".to_owned(), url))
}

/// Settings as arguments instead: `--database-url=…` for `DATABASE_URL`.
pub(super) fn arguments(settings: &BTreeMap<String, String>) -> Vec<String> {
    let argument = |(name, value): (&String, &String)| {
        format!("--{}={value}", name.to_lowercase().replace('_', "-"))
    };
    settings.iter().map(argument).collect()
}

/// Secrets in a query, each under a key that says so.
pub(super) fn query() -> String {
    let keys = [
        "sig",
        "access_token",
        "api_key",
        "password",
        "Token",
        "%70assword",
        "client_secret",
        "X-Amz-Signature",
    ];
    let pairs = keys.map(|key| {
        format!(
            "{key}={}",
            secret(&format!("query-{}", key.replace('%', "")))
        )
    });
    pairs.join("&")
}

//! What an export that failed means, and what to set: by the answer if there was one, else by asking the address itself.

use std::{fmt, io};

use super::probe::{self, Speaks};
use crate::{env::Env, settings::Protocol, tls::Tls, transport};

/// Where one signal goes.
#[derive(Debug)]
pub(super) struct Target {
    signal: String,
    protocol: Protocol,
    /// Without credentials.
    url: String,
    /// The variables that say so.
    endpoint: String,
    protocols: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.protocol {
            Protocol::Grpc => "gRPC",
            Protocol::HttpProtobuf => "HTTP",
        };
        write!(f, "{} over {by}", self.url)
    }
}

impl Target {
    /// For `signal`, such as `TRACES`.
    pub(super) fn of(env: &Env, signal: &str, protocol: Protocol) -> Self {
        let endpoint = env.otlp(signal, "ENDPOINT");
        let mut url = transport::endpoint(env, signal, protocol);
        match protocol {
            // As the exporter reads it.
            Protocol::Grpc if !url.contains("://") => {
                let insecure = env.get(&env.otlp(signal, "INSECURE"));
                let plain = insecure.is_some_and(|value| value.eq_ignore_ascii_case("true"));
                url = format!("{}://{url}", if plain { "http" } else { "https" });
            }
            // The general endpoint is the base of all three, a signal's own is used as it is:
            // https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
            Protocol::HttpProtobuf if !endpoint.contains(signal) => {
                url = format!("{}/v1/{}", url.trim_end_matches('/'), signal.to_lowercase());
            }
            _ => {}
        }
        Self {
            signal: signal.to_owned(),
            protocol,
            url,
            endpoint,
            protocols: env.otlp(signal, "PROTOCOL"),
        }
    }

    /// One sentence for people: what is wrong, and how to mend it.
    pub(super) async fn explain(&self, error: &str, env: &Env) -> String {
        match self.answered(error) {
            Some(sentence) => sentence,
            None => self.asked(error, env).await,
        }
    }

    /// What an answer of the collector's says.
    fn answered(&self, error: &str) -> Option<String> {
        let Self { url, endpoint, .. } = self;
        let headers = endpoint.replace("ENDPOINT", "HEADERS");
        let code = |before: &str| {
            let (_, rest) = error.split_once(before)?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
            Some(&rest[..end.unwrap_or(rest.len())])
        };
        let status = code("status code: ");
        Some(match status.or_else(|| code("gRPC code: "))? {
            "401" | "Unauthenticated" => format!(
                "{url} does not know who this is (401); set {headers} to its credentials, such as authorization=Bearer%20<token>"
            ),
            "403" | "PermissionDenied" => format!(
                "{url} does not allow this (403); the credentials in {headers} may be of another tenant, or for reading only"
            ),
            "404" | "405" => format!(
                "there is nothing that takes {} at {url} ({}); correct the path in {endpoint}: to OTEL_EXPORTER_OTLP_ENDPOINT /v1/{} is added, a signal's own is used as it is",
                self.signal.to_lowercase(),
                status.unwrap_or_default(),
                self.signal.to_lowercase(),
            ),
            "415" => format!(
                "{url} does not take protobuf over HTTP (415); it may be a gRPC port: set {}=grpc, or the collector's HTTP port in {endpoint}",
                self.protocols
            ),
            "429" | "ResourceExhausted" => {
                format!("{url} takes no more for now (429); send less, or raise the limit there")
            }
            "Unimplemented" => format!(
                "there is no OTLP over gRPC at {url}; if it is an HTTP port set {}=http/protobuf, else correct {endpoint}",
                self.protocols
            ),
            other if other.starts_with(['1', '2', '3', '4', '5']) => {
                format!("{url} answers with status {other}; its log may say why")
            }
            _ => return None,
        })
    }

    /// What the address itself tells.
    async fn asked(&self, error: &str, env: &Env) -> String {
        let Self { url, endpoint, .. } = self;
        let parsed = reqwest::Url::parse(url).ok();
        let parts = parsed.as_ref().and_then(|url| {
            let host = url.host_str()?.trim_matches(['[', ']']);
            Some((host, url.port_or_known_default()?))
        });
        let Some((host, port)) = parts else {
            return format!(
                "{endpoint}={url} is no address; it must be like http://localhost:4317"
            );
        };
        let at = format!("{host}:{port}");
        let stream = match probe::connect(host, port).await {
            Ok(stream) => stream,
            Err(probe::Unreachable::Name) => {
                return format!(
                    "the name {host} does not resolve; correct {endpoint}, or the network's DNS"
                );
            }
            Err(probe::Unreachable::Silent) => {
                return format!(
                    "nothing answers at {at} in time; a firewall may be between, or {endpoint} may name the wrong host"
                );
            }
            Err(probe::Unreachable::Io(error))
                if error.kind() == io::ErrorKind::ConnectionRefused =>
            {
                let container = if ["localhost", "127.0.0.1", "::1"].contains(&host) {
                    " (in a container, localhost is that container)"
                } else {
                    ""
                };
                return format!(
                    "nobody listens at {at}; start a collector there, or set {endpoint} to one{container}"
                );
            }
            Err(probe::Unreachable::Io(error)) => {
                return format!(
                    "{at} cannot be reached ({error}); correct {endpoint}, or the network"
                );
            }
        };
        if url.starts_with("https://") {
            drop(stream);
            return self.encrypted(&at, error, env).await;
        }
        match (probe::language(stream, host, port).await, self.protocol) {
            (Speaks::Tls, _) => {
                format!("{at} wants TLS; write https:// in {endpoint}")
            }
            (Speaks::Http1, Protocol::Grpc) => format!(
                "gRPC is sent to an HTTP port, {at}; set {}=http/protobuf, or the collector's gRPC port (often 4317) in {endpoint}",
                self.protocols
            ),
            (Speaks::Http2, Protocol::HttpProtobuf) => format!(
                "OTLP over HTTP is sent to a gRPC port, {at}; set {}=grpc, or the collector's HTTP port (often 4318) in {endpoint}",
                self.protocols
            ),
            (Speaks::Nothing, _) => format!(
                "{at} accepts connections and does not answer; it may be no collector, or one that hangs"
            ),
            _ => format!("{url} does not take it: {error}"),
        }
    }

    /// Why a connection that is encrypted does not come about.
    async fn encrypted(&self, at: &str, error: &str, env: &Env) -> String {
        let Self { url, endpoint, .. } = self;
        let variable = |what: &str| endpoint.replace("ENDPOINT", what);
        let said = match Tls::read(env, &self.signal) {
            Ok(tls) => probe::tls(&tls, url).await,
            Err(error) => Some(error.to_string()),
        };
        let Some(said) = said else {
            return format!("the connection to {at} is encrypted, and then {error}");
        };
        let known = format!("{said} {error}");
        let is = |words: &[&str]| words.iter().any(|word| known.contains(word));
        let identity = format!(
            "set {} and {}",
            variable("CLIENT_CERTIFICATE"),
            variable("CLIENT_KEY")
        );
        if is(&["UnknownIssuer", "self-signed", "self signed"]) {
            format!(
                "the certificate of {at} is signed by nobody that is trusted here; set {} to the file (PEM) of the authority that signed it",
                variable("CERTIFICATE")
            )
        } else if is(&["not valid for name", "NotValidForName"]) {
            format!(
                "the certificate of {at} is for another name; use the name that it is for in {endpoint}"
            )
        } else if is(&["certificate expired", "Expired"]) {
            format!("the certificate of {at} has expired; it is to be renewed there")
        } else if is(&["CertificateRequired", "certificate required"]) {
            format!("{at} asks who this is (mTLS); {identity}")
        } else if is(&["corrupt message", "InvalidContentType"]) {
            format!("{at} speaks plain text; write http:// in {endpoint}")
        } else if is(&["NoApplicationProtocol"]) {
            format!(
                "OTLP over HTTP is sent to a gRPC port, {at}; set {}=grpc",
                self.protocols
            )
        } else if is(&["closed", "reset by peer", "roken pipe", "nexpected EOF"]) {
            // TLS 1.3 has no place for a reason: a client has finished before it is refused.
            format!(
                "{at} hangs up on an encrypted connection; if it asks who this is (mTLS), {identity}"
            )
        } else {
            format!("TLS with {at} fails: {said}")
        }
    }
}

//! OTLP over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::{fmt::Display, io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use opentelemetry_http::{Bytes, HttpClient as _};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::percent_decode_str;
use prost::Message as _;

use super::retry::{Again, Failure};
use crate::{
    env::Env,
    settings::Protocol,
    transport::{Connection, OwnRuntimeClient, named_endpoint},
};

#[derive(Debug)]
pub(super) struct Http {
    client: OwnRuntimeClient,
    url: Uri,
    headers: HeaderMap,
    compressed: bool,
}

impl Http {
    pub(super) fn new(to: &Connection<'_>, env: &Env) -> Result<Self, ExporterBuildError> {
        let (name, mut url) = named_endpoint(env, "TRACES", Protocol::HttpProtobuf);
        // Only what is said for all signals is a base.
        if !name.contains("TRACES") {
            url = format!("{}/v1/traces", url.strip_suffix('/').unwrap_or(&url));
        }
        let mut headers = headers(env);
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.entry(header::CONTENT_TYPE).or_insert(protobuf);
        let compressed = is_compressed(env);
        if compressed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Self {
            client: to.http()?,
            url: url.parse().map_err(|error| wrong(&name, &error))?,
            headers,
            compressed,
        })
    }

    pub(super) async fn send(&self, spans: Bytes) -> Result<ExportTraceServiceResponse, Failure> {
        // As in gRPC, one message that is bytes stands for the request.
        let body = match self.compressed {
            true => gzip(&spans.encode_to_vec()).map_err(|error| Failure {
                why: format!("export failed: {error}"),
                again: Again::Never,
            })?,
            false => spans.encode_to_vec(),
        };
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = self.client.send_bytes(request).await;
        let answer = answer.map_err(|_| Failure {
            why: "export failed: network error".to_owned(),
            again: Again::Soon,
        })?;
        let status = answer.status();
        if !status.is_success() {
            let asked = answer.headers().get(header::RETRY_AFTER);
            let asked = asked.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            return Err(Failure {
                why: format!("export failed with status code: {}", status.as_u16()),
                again: match (status.as_u16(), asked) {
                    (429 | 503, Some(seconds)) => Again::In(Duration::from_secs(seconds)),
                    (429 | 502 | 503 | 504, _) => Again::Soon,
                    _ => Again::Never,
                },
            });
        }
        // What is no answer says nothing; the spans have arrived.
        Ok(ExportTraceServiceResponse::decode(answer.into_body()).unwrap_or_default())
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

/// What is sent with every export: `key=value` pairs, percent-encoded.
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables>
pub(super) fn headers(env: &Env) -> HeaderMap {
    let text = env.get(&env.otlp("TRACES", "HEADERS")).unwrap_or_default();
    let pairs = text.split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((
            name.trim().parse::<HeaderName>().ok()?,
            HeaderValue::from_str(&value).ok()?,
        ))
    });
    let agent = HeaderValue::from_static(concat!(
        "OTel-OTLP-Exporter-Rust/",
        env!("CARGO_PKG_VERSION")
    ));
    [(header::USER_AGENT, agent)]
        .into_iter()
        .chain(pairs.filter(|(_, value)| !value.is_empty()))
        .collect()
}

/// A word that is neither was warned about.
pub(super) fn is_compressed(env: &Env) -> bool {
    let word = env.get(&env.otlp("TRACES", "COMPRESSION"));
    word.is_some_and(|word| word.eq_ignore_ascii_case("gzip"))
}

pub(super) fn wrong(name: &str, error: &dyn Display) -> ExporterBuildError {
    ExporterBuildError::InvalidConfiguration(format!("{name}: {error}"))
}

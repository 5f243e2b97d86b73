//! The exporter that spans leave by: `opentelemetry-otlp`'s, as for metrics and logs.

use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig as _};

use crate::{env::Env, settings::Protocol, transport::Connection};

/// # Errors
/// A variable names an endpoint that is none.
pub(crate) fn spans(
    protocol: Protocol,
    to: &Connection<'_>,
    _: &Env,
) -> Result<SpanExporter, ExporterBuildError> {
    match protocol {
        Protocol::Grpc => to.secured(SpanExporter::builder().with_tonic()).build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_http_client(to.http()?)
            .build(),
    }
}

//! The exporter that spans leave by: it writes them as protobuf in one pass, where `opentelemetry-otlp` copies each into
//! structs, measures these and writes them then, which costs more than all that a request is instrumented with.
//!
//! What arrives is the same, byte for byte, and so is what the variables do. Metrics and logs, which are few, go by
//! `opentelemetry-otlp`.

mod grpc;
mod http;
mod retry;
mod spans;
mod wire;

use std::time::Duration;

use opentelemetry_http::Bytes;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};

use self::{grpc::Grpc, http::Http, retry::Failure, spans::Batches};
use crate::{env::Env, rejected, settings::Protocol, transport::Connection};

/// # Errors
/// A variable names an endpoint that is none.
pub(crate) fn spans(
    protocol: Protocol,
    to: &Connection<'_>,
    env: &Env,
) -> Result<OnePass, ExporterBuildError> {
    let way = match protocol {
        Protocol::Grpc => Way::Grpc(Grpc::new(to, env)?),
        Protocol::HttpProtobuf => Way::Http(Http::new(to, env)?),
    };
    Ok(OnePass {
        batches: Batches::default(),
        way,
        timeout: to.timeout,
    })
}

#[derive(Debug)]
pub(crate) struct OnePass {
    batches: Batches,
    way: Way,
    /// For one export and its retries.
    timeout: Duration,
}

#[derive(Debug)]
enum Way {
    Grpc(Grpc),
    Http(Http),
}

impl Way {
    async fn send(&self, spans: Bytes) -> Result<ExportTraceServiceResponse, Failure> {
        match self {
            Self::Grpc(grpc) => grpc.send(spans).await,
            Self::Http(http) => http.send(spans).await,
        }
    }
}

impl SpanExporter for OnePass {
    /// Runs where there are timers and sockets: [side by side](crate::side_by_side) with others, on the exporters' thread.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = Bytes::from(self.batches.write(&batch));
        drop(batch);
        let sent = retry::until(self.timeout, || self.way.send(spans.clone())).await;
        let answer = sent.map_err(|failure| OTelSdkError::InternalFailure(failure.why))?;
        if let Some(partial) = answer.partial_success {
            rejected::note(partial.rejected_spans, &partial.error_message);
        }
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches = Batches::of(resource);
    }
}

#[cfg(test)]
mod tests;

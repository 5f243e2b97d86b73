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

use std::{sync::Arc, time::Duration};

use opentelemetry_http::Bytes;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use tokio::{runtime, task::JoinSet};

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
        way: Arc::new(way),
        timeout: to.timeout,
        runtime: to.transport.runtime.clone(),
    })
}

#[derive(Debug)]
pub(crate) struct OnePass {
    batches: Batches,
    way: Arc<Way>,
    /// For one export and its retries.
    timeout: Duration,
    runtime: runtime::Handle,
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
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        // Written here, on the processor's own thread; sent where there are timers and sockets.
        let spans = Bytes::from(self.batches.write(&batch));
        drop(batch);
        let (way, timeout) = (Arc::clone(&self.way), self.timeout);
        // Whoever gives this up, gives the sending up.
        let mut sending = JoinSet::new();
        let send = async move { retry::until(timeout, || way.send(spans.clone())).await };
        sending.spawn_on(send, &self.runtime);
        match sending.join_next().await {
            Some(Ok(Ok(answer))) => {
                if let Some(partial) = answer.partial_success {
                    rejected::note(partial.rejected_spans, &partial.error_message);
                }
                Ok(())
            }
            Some(Ok(Err(failure))) => Err(OTelSdkError::InternalFailure(failure.why)),
            _ => Err(OTelSdkError::AlreadyShutdown), // the runtime has ended
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches = Batches::of(resource);
    }
}

#[cfg(test)]
mod tests;

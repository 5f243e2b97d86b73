//! OTLP over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>.

use http::uri::PathAndQuery;
use opentelemetry_http::Bytes;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use tonic::{
    Code, Request, Status,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use super::{
    http::{headers, is_compressed, wrong},
    retry::{Again, Failure},
};
use crate::{
    env::Env,
    settings::Protocol,
    transport::{Connection, chain, named_endpoint},
};

const EXPORT: PathAndQuery =
    PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");

#[derive(Debug)]
pub(super) struct Grpc {
    client: tonic::client::Grpc<Channel>,
    metadata: MetadataMap,
}

impl Grpc {
    pub(super) fn new(to: &Connection<'_>, env: &Env) -> Result<Self, ExporterBuildError> {
        let (name, url) = named_endpoint(env, "TRACES", Protocol::Grpc);
        let insecure = env.get(&env.otlp("TRACES", "INSECURE"));
        let url = match url.contains("://") {
            true => url,
            false if insecure.is_some_and(|word| word.eq_ignore_ascii_case("true")) => {
                format!("http://{url}")
            }
            false => format!("https://{url}"),
        };
        let endpoint = Endpoint::from_shared(url)
            .and_then(|endpoint| match &to.tls {
                Some(tls) => endpoint.tls_config(tls.grpc()),
                None => Ok(endpoint),
            })
            .map_err(|error| wrong(&name, &error))?;
        let channel = endpoint.timeout(to.timeout).connect_lazy();
        let mut client = tonic::client::Grpc::new(channel);
        if is_compressed(env) {
            client = client
                .send_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Gzip);
        }
        Ok(Self {
            client,
            metadata: MetadataMap::from_headers(headers(env)),
        })
    }

    pub(super) async fn send(&self, spans: Bytes) -> Result<ExportTraceServiceResponse, Failure> {
        // The request has one field, the first, and prost's message that is bytes has one too: the same on the wire.
        let codec = ProstCodec::<Bytes, ExportTraceServiceResponse>::default();
        let mut request = Request::new(spans);
        *request.metadata_mut() = self.metadata.clone();
        let mut client = self.client.clone();
        let ready = client.ready().await;
        ready.map_err(|error| failure(&Status::from_error(error.into())))?;
        let answer = client.unary(request, EXPORT, codec).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| failure(&status))
    }
}

fn failure(status: &Status) -> Failure {
    let mut why = format!("export failed with gRPC code: {:?}", status.code());
    if let Some(cause) = std::error::Error::source(status) {
        why.push_str(&format!(": {}", chain(cause)));
    }
    let asked = status.get_details_retry_info();
    let asked = asked.and_then(|info| info.retry_delay);
    let again = match (status.code(), asked) {
        (Code::ResourceExhausted | Code::Unavailable, Some(asked)) => Again::In(asked),
        (
            Code::Unavailable
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::DataLoss,
            _,
        ) => Again::Soon,
        _ => Again::Never,
    };
    Failure { why, again }
}

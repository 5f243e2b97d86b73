//! How OTLP leaves the process: endpoint, client, and the runtime it runs on.

use std::{sync::Arc, time::Duration};

use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, WithTonicConfig, tonic_types::transport::ClientTlsConfig,
};
use tokio::runtime;

use crate::{
    env::Env,
    settings::Protocol,
    watch::{Health, Watched},
};

/// What OTLP exporters send with.
pub(crate) struct Transport {
    pub(crate) runtime: runtime::Handle,
    pub(crate) timeout: Duration,
    pub(crate) health: Arc<Health>,
}

impl Transport {
    /// An exporter whose failures are watched. One that cannot be built, say for a malformed endpoint, leaves its
    /// signal unexported and the service running.
    pub(crate) fn exporter<E>(
        &self,
        signal: &'static str,
        env: &mut Env,
        build: impl FnOnce(&Self, &str) -> Result<E, ExporterBuildError>,
    ) -> Option<Watched<E>> {
        let endpoint = endpoint(env, &signal.to_uppercase(), Protocol::Grpc);
        match build(self, &endpoint) {
            Ok(exporter) => Some(Watched {
                exporter,
                signal,
                health: self.health.clone(),
            }),
            Err(error) => {
                env.warnings
                    .push(format!("{signal} are not exported: {error}"));
                None
            }
        }
    }

    pub(crate) fn http(&self) -> Result<OwnRuntimeClient, ExporterBuildError> {
        // The exporter's own limit ends its retries, not an answer that never comes.
        let client = reqwest::Client::builder().timeout(self.timeout).build();
        let client =
            client.map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        Ok(OwnRuntimeClient {
            client,
            runtime: self.runtime.clone(),
        })
    }
}

/// gRPC over TLS with the system's roots; without this no certificate would be trusted. Not for plain text: reading the
/// roots fails where there are none, as in an empty container image.
pub(crate) fn secured<B: WithTonicConfig>(builder: B, endpoint: &str) -> B {
    if endpoint.starts_with("http://") {
        return builder;
    }
    builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots())
}

/// An HTTP client that works for the batch processors' plain threads, which have no reactor of their own.
#[derive(Debug)]
pub(crate) struct OwnRuntimeClient {
    client: reqwest::Client,
    runtime: runtime::Handle,
}

#[async_trait::async_trait]
impl HttpClient for OwnRuntimeClient {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime
            .spawn(async move { client.send_bytes(request).await })
            .await?
    }
}

/// Where the exporters send a signal by OTLP, without the credentials that a URL can hold.
pub(crate) fn endpoint(env: &Env, signal: &str, protocol: Protocol) -> String {
    let of_signal = env.get(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
    let named = of_signal.or_else(|| env.get("OTEL_EXPORTER_OTLP_ENDPOINT"));
    let url = named.unwrap_or_else(|| match protocol {
        Protocol::Grpc => "http://localhost:4317".to_owned(),
        Protocol::HttpProtobuf => "http://localhost:4318".to_owned(),
    });
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url,
    }
}

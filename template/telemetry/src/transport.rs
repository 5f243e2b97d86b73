//! How OTLP leaves the process: endpoint, client, and the runtime it runs on.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, WithTonicConfig};
use tokio::runtime;

use crate::{env::Env, health::Health, redact, settings::Protocol, tls::Tls, watch::Watched};

/// What OTLP exporters send with.
pub(crate) struct Transport {
    pub(crate) runtime: runtime::Handle,
    pub(crate) health: Arc<Health>,
}

/// The exporters' own thread and runtime: no service, however busy or single-threaded, can starve export, and export
/// cannot slow a request.
#[derive(Debug, Default)]
pub(crate) struct ExportRuntime(Mutex<Option<runtime::Runtime>>);

/// What one signal's exporter is built with, beyond what the exporter reads itself.
pub(crate) struct Connection<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) timeout: Duration,
    /// `None` where the endpoint says that nothing is encrypted.
    pub(crate) tls: Option<Tls>,
}

impl ExportRuntime {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> std::io::Result<(Self, runtime::Handle)> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp-export")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok((Self(Mutex::new(Some(runtime))), handle))
    }

    /// Without waiting, as dropping a runtime would do: within another runtime that is a panic.
    pub(crate) fn stop(&self) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = running.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for ExportRuntime {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Transport {
    /// An exporter whose failures are watched. One that cannot be built, say for a malformed endpoint, leaves its
    /// signal unexported and the service running. No export takes longer than `limit`.
    pub(crate) fn exporter<E>(
        &self,
        signal: &'static str,
        limit: Option<Duration>,
        env: &mut Env,
        build: impl FnOnce(&Connection<'_>, &Env) -> Result<E, ExporterBuildError>,
    ) -> Option<Watched<E>> {
        match self.connection(signal, env).and_then(|to| build(&to, env)) {
            Ok(exporter) => Some(Watched {
                exporter,
                signal,
                limit,
                runtime: self.runtime.clone(),
                health: self.health.clone(),
            }),
            Err(error) => {
                not_exported(signal, &error, &mut env.warnings);
                None
            }
        }
    }

    fn connection(
        &self,
        signal: &str,
        env: &mut Env,
    ) -> Result<Connection<'_>, ExporterBuildError> {
        let signal = signal.to_uppercase();
        check(&signal, env);
        let timeout = env.otlp(&signal, "TIMEOUT");
        // Not for plain text: reading the roots fails where there are none, as in an empty container image.
        let plain = endpoint(env, &signal, Protocol::Grpc).starts_with("http://");
        Ok(Connection {
            transport: self,
            timeout: env.milliseconds(&timeout, Duration::from_secs(10)),
            tls: (!plain).then(|| Tls::read(env, &signal)).transpose()?,
        })
    }
}

impl Connection<'_> {
    /// gRPC over TLS trusts nobody by itself.
    pub(crate) fn secured<B: WithTonicConfig>(&self, builder: B) -> B {
        match &self.tls {
            Some(tls) => builder.with_tls_config(tls.grpc()),
            None => builder,
        }
    }

    pub(crate) fn http(&self) -> Result<OwnRuntimeClient, ExporterBuildError> {
        // The exporter's own limit ends its retries, not an answer that never comes.
        let client = reqwest::Client::builder().timeout(self.timeout);
        let client = match &self.tls {
            Some(tls) => tls.http(client),
            None => Ok(client),
        };
        let client = client
            .and_then(reqwest::ClientBuilder::build)
            .map_err(|error| ExporterBuildError::InternalFailure(chain(&error)))?;
        Ok(OwnRuntimeClient {
            client,
            runtime: self.transport.runtime.clone(),
        })
    }
}

/// The exporters pass over a bad value of these in silence.
fn check(signal: &str, env: &mut Env) {
    let compression = env.otlp(signal, "COMPRESSION");
    env.words(&compression, &["gzip", "none"], "none");
    let insecure = env.otlp(signal, "INSECURE");
    env.flag(&insecure, false);
    if signal == "METRICS" {
        let temporality = env.otlp(signal, "TEMPORALITY_PREFERENCE");
        env.words(&temporality, &["cumulative", "delta", "lowmemory"], "");
    }
}

/// One warning for all signals that fail alike.
fn not_exported(signal: &str, error: &ExporterBuildError, warnings: &mut Vec<String>) {
    let ending = format!(" are not exported: {error}");
    match warnings.iter_mut().find(|known| known.ends_with(&ending)) {
        Some(known) => known.insert_str(known.len() - ending.len(), &format!(", {signal}")),
        None => warnings.push(format!("{signal}{ending}")),
    }
}

/// An error and its causes: reqwest's say what is wrong only in the last of them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
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
    without_credentials(&named_endpoint(env, signal, protocol).1)
}

/// The variable that counts for a signal's endpoint, and what it says.
pub(crate) fn named_endpoint(env: &Env, signal: &str, protocol: Protocol) -> (String, String) {
    let name = env.otlp(signal, "ENDPOINT");
    let url = env.get(&name).unwrap_or_else(|| match protocol {
        Protocol::Grpc => "http://localhost:4317".to_owned(),
        Protocol::HttpProtobuf => "http://localhost:4318".to_owned(),
    });
    (name, url)
}

/// A URL as it may be shown.
pub(crate) fn without_credentials(url: &str) -> String {
    let url = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => Cow::Owned(format!("{scheme}://{host}")),
        _ => Cow::Borrowed(url),
    };
    match url.split_once('?') {
        Some((place, query)) => format!("{place}?{}", redact::query(query)),
        None => url.into_owned(),
    }
}

#[cfg(test)]
mod tests;

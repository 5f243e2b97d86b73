//! The HTTP client: ureq, which blocks; so it works on threads for that.

use std::{
    io::{self, ErrorKind, Read as _},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use telemetry::http_client;
use ureq::{
    Agent, RequestBuilder,
    tls::{RootCerts, TlsConfig},
    typestate::WithoutBody,
};
use url::Url;

pub(super) use ureq::Error;

use super::{
    CONNECT_TIMEOUT, CallError, MAX_BYTES, Reply,
    retry::{Attempts, retry_after},
};

#[derive(Debug, Clone)]
pub(super) struct Client(Agent);

impl Client {
    /// # Errors
    /// None: TLS is set up for the first connection that needs it.
    pub(super) fn new(timeout: Duration) -> anyhow::Result<Self> {
        let roots = RootCerts::PlatformVerifier;
        // Redirects are not followed: the upstream must not choose whom we call. Nor must a variable of the environment.
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        Ok(Self(http_client::agent(config)))
    }

    /// One attempt.
    pub(super) async fn get(&self, url: &Url, attempts: &Attempts) -> Result<Reply, CallError> {
        let mut request = self.request(url).extension(attempts.resend_count());
        if attempts.resend_count() != http_client::ResendCount(0) {
            // The first has the client's own timeout: TLS settings that are made for one request are not kept.
            let left = Some(attempts.time_left());
            request = request.config().timeout_global(left).build();
        }
        http_client::blocking(move || send(request)).await
    }

    /// ureq sends no credentials that are in the URL.
    fn request(&self, url: &Url) -> RequestBuilder<WithoutBody> {
        if url.username().is_empty() && url.password().is_none() {
            return self.0.get(url.as_str());
        }
        let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
        credentials.push(b':');
        credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
        let basic = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        let mut url = url.clone();
        // They can be set wherever they could be read.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        self.0.get(url.as_str()).header(AUTHORIZATION, basic)
    }

    /// Also hangs up on whom nobody waits for any more.
    pub(super) fn close(self) {
        self.0.shutdown();
    }
}

fn send(request: RequestBuilder<WithoutBody>) -> Result<Reply, CallError> {
    let mut response = request.call().map_err(failed)?;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        return Err(CallError::Status {
            status,
            retry_after: retry_after(response.headers()),
        });
    }
    let limit = MAX_BYTES as u64;
    let mut body = response.body_mut().as_reader().take(limit + 1);
    let bytes = io::copy(&mut body, &mut io::sink()).map_err(|error| failed(error.into()))?;
    if bytes > limit {
        return Err(CallError::TooLarge);
    }
    Ok(Reply {
        status: status.as_u16(),
        bytes: usize::try_from(bytes).unwrap_or(MAX_BYTES),
    })
}

fn failed(error: Error) -> CallError {
    match error {
        Error::Timeout(_) => CallError::Timeout(error),
        // Says the URL, which may hold a secret.
        Error::BadUri(_) => CallError::Unreachable(Error::BadUri("the upstream's".to_owned())),
        error => CallError::Unreachable(error),
    }
}

/// Whether nobody listened, or somebody hung up.
pub(super) fn is_transient(error: &Error) -> bool {
    let Error::Io(error) = error else {
        return false;
    };
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

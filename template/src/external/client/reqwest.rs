//! The HTTP client: reqwest.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
    time::Duration,
};

use anyhow::Context as _;
use reqwest::redirect::Policy;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use telemetry::http_client::Traced;
use url::Url;

pub(super) use reqwest_middleware::Error;

use super::{
    CONNECT_TIMEOUT, CallError, MAX_BYTES, Reply,
    retry::{Attempts, retry_after},
};

#[derive(Debug, Clone)]
pub(super) struct Client(ClientWithMiddleware);

impl Client {
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(timeout: Duration) -> anyhow::Result<Self> {
        // Redirects are not followed: the upstream must not choose whom we call. Nor must a variable of the environment.
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy();
        let client = client.build().context("the HTTP client cannot be made")?;
        let client = ClientBuilder::new(client).with(Traced::new()).build();
        Ok(Self(client))
    }

    /// One attempt.
    pub(super) async fn get(&self, url: &Url, attempts: &Attempts) -> Result<Reply, CallError> {
        let request = self.0.get(url.clone()).timeout(attempts.time_left());
        let request = request.with_extension(attempts.resend_count());
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(CallError::Status {
                status,
                retry_after: retry_after(response.headers()),
            });
        }
        let mut bytes = 0;
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| failed(error.into()))?
        {
            bytes += chunk.len();
            if bytes > MAX_BYTES {
                return Err(CallError::TooLarge);
            }
        }
        Ok(Reply {
            status: status.as_u16(),
            bytes,
        })
    }

    /// Connections close by themselves.
    pub(super) fn close(self) {}
}

fn failed(error: Error) -> CallError {
    // The URL may hold a secret, and the client span shows it without.
    match error.without_url() {
        Error::Reqwest(error) if error.is_timeout() => CallError::Timeout(error.into()),
        error => CallError::Unreachable(error),
    }
}

/// Whether nobody listened, or somebody hung up.
pub(super) fn is_transient(error: &Error) -> bool {
    let Error::Reqwest(error) = error else {
        return false;
    };
    let mut causes = std::iter::successors(error.source(), |&error| error.source());
    causes.any(|error| {
        let error = error.downcast_ref::<io::Error>();
        matches!(
            error.map(io::Error::kind),
            Some(ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
        )
    })
}

//! The HTTP client: reqwest.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
    time::Duration,
};

use anyhow::Context as _;
use reqwest::redirect::Policy;
use telemetry::http_client::Traced;
use url::Url;

pub(super) use reqwest::Error;

use super::{
    CONNECT_TIMEOUT, CallError, MAX_BYTES, Reply,
    retry::{Attempts, retry_after},
};

#[derive(Debug, Clone)]
pub(super) struct Client {
    client: reqwest::Client,
    traced: Traced,
}

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
        Ok(Self {
            client: client.build().context("the HTTP client cannot be made")?,
            traced: Traced::new(),
        })
    }

    /// One attempt.
    pub(super) async fn get(&self, url: &Url, attempts: &Attempts) -> Result<Reply, CallError> {
        let request = self.client.get(url.clone());
        let request = request.timeout(attempts.time_left());
        let sent = self.traced.send(request, attempts.resend_count(), None);
        let mut response = sent.await.map_err(failed)?;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(CallError::Status {
                status,
                retry_after: retry_after(response.headers()),
            });
        }
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
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
    let error = error.without_url();
    if error.is_timeout() {
        CallError::Timeout(error)
    } else {
        CallError::Unreachable(error)
    }
}

/// Whether nobody listened, or somebody hung up.
pub(super) fn is_transient(error: &Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |&error| error.source());
    causes.any(|error| {
        let error = error.downcast_ref::<io::Error>();
        matches!(
            error.map(io::Error::kind),
            Some(ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
        )
    })
}

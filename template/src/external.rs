//! Outgoing HTTP: the upstream that this service calls.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use http::StatusCode;
use reqwest::{Client, Url};
use reqwest_middleware::ClientWithMiddleware;
use serde::Serialize;
use telemetry::{Recorded, ResultExt as _, http_client::Traced};
use tracing::instrument;

use crate::{
    config::Config,
    error::{AppError, Failure},
    state::AppState,
};

/// A larger answer is not read to its end.
const MAX_BYTES: usize = 1024 * 1024;

/// Settings of the upstream.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// What POST /external calls. It comes from here only, never from a request.
    #[arg(
        id = "upstream_url",
        long = "upstream-url",
        env = "UPSTREAM_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub url: Option<Url>,

    /// How long the upstream may take to answer.
    #[arg(id = "upstream_timeout", long = "upstream-timeout", env = "UPSTREAM_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// The client and what it calls.
#[derive(Debug, Clone)]
pub struct External {
    client: ClientWithMiddleware,
    url: Option<Url>,
}

impl External {
    /// Makes the client; no connection is opened yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let Settings { url, timeout } = config.external.clone();
        // Redirects are not followed: the upstream must not choose whom we call.
        let client = Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none());
        let client = client.build().context("the HTTP client cannot be made")?;
        let client = reqwest_middleware::ClientBuilder::new(client)
            .with(Traced::new())
            .build();
        Ok(Self { client, url })
    }

    /// Connections close by themselves.
    pub async fn close(self) {}
}

/// What the upstream answered.
#[derive(Debug, Serialize)]
pub struct Reply {
    pub status: u16,
    pub bytes: usize,
}

/// Why the upstream gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no upstream is configured; set UPSTREAM_URL")]
    NotConfigured,
    #[error("the upstream answered {0}")]
    Status(u16),
    #[error("the upstream did not answer in time")]
    Timeout(#[source] reqwest::Error),
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] reqwest_middleware::Error),
    #[error("the upstream's answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

impl From<reqwest_middleware::Error> for CallError {
    fn from(error: reqwest_middleware::Error) -> Self {
        match error.without_url() {
            // The URL may hold a secret, and the client span shows it without.
            reqwest_middleware::Error::Reqwest(error) if error.is_timeout() => Self::Timeout(error),
            error => Self::Unreachable(error),
        }
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        reqwest_middleware::Error::Reqwest(error).into()
    }
}

/// Calls the upstream.
///
/// # Errors
/// 502 when it fails, 504 when it is too slow, 503 when there is none.
#[instrument(name = "external_api.call", skip_all)]
pub async fn call(state: &AppState) -> Result<Reply, AppError> {
    Ok(state.external.get().await.record_err()?)
}

impl External {
    async fn get(&self) -> Result<Reply, CallError> {
        let url = self.url.clone().ok_or(CallError::NotConfigured)?;
        let mut response = self.client.get(url).send().await?;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(CallError::Status(status.as_u16()));
        }
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
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
}

impl From<Recorded<CallError>> for AppError {
    fn from(Recorded(error): Recorded<CallError>) -> Self {
        let (status, kind, detail) = match error {
            CallError::NotConfigured => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream_not_configured",
                "no upstream is configured",
            ),
            CallError::Timeout(_) => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "the upstream did not answer in time",
            ),
            CallError::Status(_) => (
                StatusCode::BAD_GATEWAY,
                "upstream_status",
                "the upstream failed",
            ),
            CallError::Unreachable(_) => (
                StatusCode::BAD_GATEWAY,
                "upstream_unreachable",
                "the upstream cannot be reached",
            ),
            CallError::TooLarge => (
                StatusCode::BAD_GATEWAY,
                "upstream_too_large",
                "the upstream's answer is too large",
            ),
        };
        Self::Failed(Failure {
            status,
            kind,
            detail: Some(detail),
            cause: None,
        })
    }
}

//! Outgoing HTTP: the upstream that this service calls.

mod client;
mod retry;

use std::{num::NonZeroU32, time::Duration};

use anyhow::Context as _;
use clap::Args;
use client::Client;
use http::StatusCode;
use retry::Attempts;
use serde::Serialize;
use telemetry::{Recorded, ResultExt as _};
use tracing::instrument;
use url::Url;

use crate::{
    config::Config,
    error::{AppError, Failure},
    state::AppState,
};

/// A larger answer is not read to its end.
const MAX_BYTES: usize = 1024 * 1024;

/// An upstream that is there accepts a connection sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

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
    pub url: Option<String>,

    /// How long the upstream may take to answer, all attempts together.
    #[arg(id = "upstream_timeout", long = "upstream-timeout", env = "UPSTREAM_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// How often the upstream is called at most when it is overloaded or cannot be reached.
    #[arg(
        id = "upstream_attempts",
        long = "upstream-attempts",
        env = "UPSTREAM_ATTEMPTS",
        value_name = "COUNT",
        default_value = "3"
    )]
    pub attempts: NonZeroU32,
}

/// The client and what it calls.
#[derive(Debug, Clone)]
pub struct External {
    client: Client,
    url: Option<Url>,
    settings: Settings,
}

impl External {
    /// Makes the client; no connection is opened yet.
    ///
    /// # Errors
    /// When the URL cannot be used, or TLS cannot be set up.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let settings = config.external.clone();
        let url = settings.url.as_deref().map(parse).transpose()?;
        let client = Client::new(settings.timeout)?;
        Ok(Self {
            client,
            url,
            settings,
        })
    }

    /// Closes the connections.
    pub async fn close(self) {
        self.client.close();
    }
}

/// The URL may hold a password: the error names the variable, not the value, and so clap does not parse it.
fn parse(url: &str) -> anyhow::Result<Url> {
    let url = Url::parse(url).ok();
    let usable = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    usable.context(
        "UPSTREAM_URL is not understood; it must be like http://user:password@localhost:8080/path",
    )
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
    #[error("the upstream answered {}", status.as_u16())]
    Status {
        status: StatusCode,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    #[error("the upstream did not answer in time")]
    Timeout(#[source] client::Error),
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] client::Error),
    #[error("the upstream's answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
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
        let url = self.url.as_ref().ok_or(CallError::NotConfigured)?;
        let mut attempts = Attempts::new(&self.settings);
        loop {
            let reply = self.client.get(url, &attempts).await;
            let Err(error) = reply else { return reply };
            let Some(wait) = attempts.wait_after(&error) else {
                return Err(error);
            };
            tokio::time::sleep(wait).await;
        }
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
            CallError::Status { .. } => (
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
            is_transient: false,
            cause: None,
        })
    }
}

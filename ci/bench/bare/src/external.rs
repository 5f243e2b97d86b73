//! The upstream that is called.

use std::{
    error::Error as _,
    io,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use reqwest::redirect::Policy;
use serde::Serialize;
use url::Url;

use crate::{config::Config, error::AppError};

const MAX_BYTES: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct External {
    client: reqwest::Client,
    url: Option<Url>,
    timeout: Duration,
    attempts: u32,
}

#[derive(Debug, Serialize)]
pub struct Reply {
    pub status: u16,
    pub bytes: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no upstream is configured")]
    NotConfigured,
    #[error("the upstream failed")]
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    #[error("the upstream did not answer in time")]
    Timeout(#[source] reqwest::Error),
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the upstream's answer is too large")]
    TooLarge,
}

impl External {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        // An error means that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = config.upstream_url.as_deref().map(Url::parse).transpose();
        let client = reqwest::Client::builder()
            .timeout(config.upstream_timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy();
        Ok(Self {
            client: client.build()?,
            url: url.context("UPSTREAM_URL is not understood")?,
            timeout: config.upstream_timeout,
            attempts: config.upstream_attempts.get(),
        })
    }

    pub fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// `headers` go along with each attempt.
    pub async fn call(&self, headers: &HeaderMap) -> Result<Reply, CallError> {
        let url = self.url.as_ref().ok_or(CallError::NotConfigured)?;
        let deadline = Instant::now() + self.timeout;
        let mut failed = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut request = self.client.get(url.clone()).timeout(left);
            if !headers.is_empty() {
                request = request.headers(headers.clone());
            }
            let error = match read(request).await {
                Err(error) => error,
                reply => return reply,
            };
            failed += 1;
            let wait = error.wait(failed);
            let left = deadline.saturating_duration_since(Instant::now());
            if failed >= self.attempts || !error.is_transient() || wait >= left {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Reply, CallError> {
    let mut response = request.send().await?;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let retry_after = retry_after(response.headers());
        return Err(CallError::Status {
            status,
            retry_after,
        });
    }
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await? {
        bytes += chunk.len();
        if bytes > MAX_BYTES {
            return Err(CallError::TooLarge);
        }
    }
    let status = status.as_u16();
    Ok(Reply { status, bytes })
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::Timeout(error)
        } else {
            Self::Unreachable(error)
        }
    }
}

impl CallError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            Self::Unreachable(error) => {
                let mut causes = std::iter::successors(error.source(), |&error| error.source());
                causes.any(|error| {
                    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
                    matches!(
                        kind,
                        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
                    )
                })
            }
            _ => false,
        }
    }

    /// Before the next attempt, after so many.
    fn wait(&self, failed: u32) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failed - 1));
        let wait = doubled.min(LONGEST_WAIT).mul_f64(fastrand::f64());
        match self {
            Self::Status { retry_after, .. } => wait + retry_after.unwrap_or_default(),
            _ => wait,
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(SystemTime::now()).ok()
}

impl From<CallError> for AppError {
    fn from(error: CallError) -> Self {
        let (status, detail) = match error {
            CallError::NotConfigured => {
                (StatusCode::SERVICE_UNAVAILABLE, "no upstream is configured")
            }
            CallError::Timeout(_) => (
                StatusCode::GATEWAY_TIMEOUT,
                "the upstream did not answer in time",
            ),
            CallError::Status { .. } => (StatusCode::BAD_GATEWAY, "the upstream failed"),
            CallError::Unreachable(_) => {
                (StatusCode::BAD_GATEWAY, "the upstream cannot be reached")
            }
            CallError::TooLarge => (
                StatusCode::BAD_GATEWAY,
                "the upstream's answer is too large",
            ),
        };
        Self::failed(status, Some(detail))
    }
}

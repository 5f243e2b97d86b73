//! Outgoing gRPC: another service like this one, whose products are searched.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use http::{StatusCode, Uri};
use proto::shop::v1::{
    Product, SearchRequest, SearchResponse, product_service_client::ProductServiceClient,
};
use telemetry::{Recorded, ResultExt as _, grpc::Client};
use tonic::{
    Code, Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use tracing::instrument;

use crate::{
    config::Config,
    error::{AppError, Failure},
    products::{self, Found, Search},
    state::AppState,
};

/// A larger answer is refused.
const MAX_BYTES: usize = 1024 * 1024;

/// Settings of the peer.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Whom GET /peer/products asks. It comes from here only, never from a request.
    #[arg(
        id = "grpc_peer_url",
        long = "grpc-peer-url",
        env = "GRPC_PEER_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub url: Option<String>,

    /// How long the peer may take to answer; less where the call that is being served must be done sooner.
    #[arg(id = "grpc_peer_timeout", long = "grpc-peer-timeout", env = "GRPC_PEER_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// The client, if there is a peer.
#[derive(Debug, Clone)]
pub struct Peer {
    client: Option<ProductServiceClient<Client<Channel>>>,
}

impl Peer {
    /// Makes the client. A connection is opened at the first call, and again after it was lost.
    ///
    /// # Errors
    /// When the URL cannot be used, or TLS cannot be set up.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let Settings { url, timeout } = config.peer.clone();
        let client = url.map(|url| client(&url, timeout)).transpose()?;
        Ok(Self { client })
    }

    /// Connections close by themselves.
    pub async fn close(self) {}

    async fn search(&self, search: Search) -> Result<SearchResponse, CallError> {
        let mut client = self.client.clone().ok_or(CallError::NotConfigured)?;
        let Search { q, category, limit } = search;
        let limit = Some(limit.into());
        let answer = client.search(SearchRequest { q, category, limit }).await?;
        Ok(answer.into_inner())
    }
}

fn client(url: &str, timeout: Duration) -> anyhow::Result<ProductServiceClient<Client<Channel>>> {
    // Who writes a password into it must not find it in the error: clap's would quote it.
    let url = url.parse().ok().filter(is_usable);
    let url =
        url.context("GRPC_PEER_URL is not understood; it must be like http://localhost:50051")?;
    let is_https = url.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(url.clone()).connect_timeout(timeout);
    if is_https {
        let tls = ClientTlsConfig::new().with_native_roots();
        endpoint = endpoint
            .tls_config(tls)
            .context("TLS for GRPC_PEER_URL cannot be set up")?;
    }
    let channel = Client::new(endpoint.connect_lazy(), &url, timeout);
    Ok(ProductServiceClient::new(channel).max_decoding_message_size(MAX_BYTES))
}

fn is_usable(url: &Uri) -> bool {
    let scheme = url.scheme_str();
    let who = url.authority();
    matches!(scheme, Some("http" | "https"))
        && who.is_some_and(|authority| !authority.as_str().contains('@'))
}

/// Why the peer gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("no peer is configured; set GRPC_PEER_URL")]
    NotConfigured,
    #[error("the peer refuses the search")]
    Refused(String),
    #[error("the peer did not answer in time")]
    Timeout,
    #[error("the peer is not available")]
    Unavailable(#[source] Status),
    #[error("the peer answered {0:?}")]
    Failed(Code),
}

// Where the peer answered something else, only the code is kept: the message may hold what is not ours to record.
impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::InvalidArgument => Self::Refused(status.message().to_owned()),
            Code::DeadlineExceeded => Self::Timeout,
            Code::Unavailable => Self::Unavailable(status),
            code => Self::Failed(code),
        }
    }
}

/// The products of the peer that match, by id.
///
/// # Errors
/// 400 when it refuses the search, 502 when it fails, 504 when it is too slow, 503 when it is away or there is none.
#[instrument(name = "peer.search", skip_all)]
pub async fn search(state: &AppState, search: Search) -> Result<Found, AppError> {
    match state.peer.search(search).await {
        // The caller's mistake, in the peer's words; no failure of anyone.
        Err(CallError::Refused(detail)) => Err(AppError::Rejected {
            status: StatusCode::BAD_REQUEST,
            detail,
        }),
        answer => Ok(answer.record_err()?.into()),
    }
}

impl From<SearchResponse> for Found {
    fn from(answer: SearchResponse) -> Self {
        let products: Vec<_> = answer.products.into_iter().map(Into::into).collect();
        Self {
            count: products.len(),
            products,
        }
    }
}

impl From<Product> for products::Product {
    fn from(product: Product) -> Self {
        let Product {
            id,
            name,
            category,
            price_cents,
        } = product;
        Self {
            id,
            name,
            category,
            price_cents,
        }
    }
}

impl From<Recorded<CallError>> for AppError {
    fn from(Recorded(error): Recorded<CallError>) -> Self {
        let (status, kind, detail) = match error {
            CallError::NotConfigured => (
                StatusCode::SERVICE_UNAVAILABLE,
                "peer_not_configured",
                "no peer is configured",
            ),
            CallError::Timeout => (
                StatusCode::GATEWAY_TIMEOUT,
                "peer_timeout",
                "the peer did not answer in time",
            ),
            CallError::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "peer_unavailable",
                "the peer is not available",
            ),
            CallError::Refused(_) | CallError::Failed(_) => {
                (StatusCode::BAD_GATEWAY, "peer_failed", "the peer failed")
            }
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

//! What the receiver says to an export, where it is to be a collector in trouble.

use std::time::Duration;

use tonic::{Code, Status};

/// Said with each refusal.
pub(super) const REASON: &str = "in trouble";

/// The next answers, over either protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    #[default]
    Accept,
    /// UNAVAILABLE; 503. With the time after which to come again, if it is known.
    Unavailable(Option<Duration>),
    /// RESOURCE_EXHAUSTED; 429. As above.
    Exhausted(Option<Duration>),
    /// Takes all but one record.
    Partial,
    /// Takes everything, later.
    Late(Duration),
    /// Hears, and is silent.
    Never,
}

impl Answer {
    /// How many records of an export are not taken, once it may be; or the refusal.
    pub(super) async fn judge(self) -> Result<usize, Self> {
        match self {
            Self::Accept => Ok(0),
            Self::Partial => Ok(1),
            Self::Late(delay) => {
                tokio::time::sleep(delay).await;
                Ok(0)
            }
            Self::Never => std::future::pending().await,
            refusal => Err(refusal),
        }
    }

    /// The status and `Retry-After`.
    pub(super) fn over_http(self) -> (u16, Option<u64>) {
        match self {
            Self::Exhausted(again) => (429, again.map(|again| again.as_secs())),
            Self::Unavailable(again) => (503, again.map(|again| again.as_secs())),
            _ => (500, None),
        }
    }

    pub(super) fn over_grpc(self) -> Status {
        let (code, again) = match self {
            Self::Exhausted(again) => (Code::ResourceExhausted, again),
            Self::Unavailable(again) => (Code::Unavailable, again),
            _ => (Code::Internal, None),
        };
        let Some(again) = again else {
            return Status::new(code, REASON);
        };
        let details = retry_info(code, again);
        Status::with_details(code, REASON, details.into())
    }
}

/// `google.rpc.Status` with `google.rpc.RetryInfo`: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling>.
fn retry_info(code: Code, again: Duration) -> Vec<u8> {
    use prost::Message as _;

    #[derive(prost::Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(prost::Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    #[derive(prost::Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(prost::Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
    }

    let retry_delay = Some(Delay {
        seconds: i64::try_from(again.as_secs()).unwrap_or(i64::MAX),
    });
    let any = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo { retry_delay }.encode_to_vec(),
    };
    let status = RpcStatus {
        code: code as i32,
        details: vec![any],
    };
    status.encode_to_vec()
}

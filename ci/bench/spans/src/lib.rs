//! Work with one span in it, for each kind of span, and the same work without the span. Nothing here goes over a network but
//! what is exported: an edge's peer answers at once, in this process.

mod floor;
mod grpc;
mod http_client;
mod inner;
mod jobs;
mod redis;
mod scale;
mod server;
mod sql;

use std::error::Error;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{
    FutureExt as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Names of the cases that are timed.
pub const TIMED: [&str; 12] = [
    "server",
    "server_called",
    "sql",
    "http_client",
    "redis",
    "job_send",
    "job_process",
    "grpc_server",
    "grpc_client",
    "inner",
    "traced",
    "by_hand",
];

/// How the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Without instrumentation.
    Bare,
    Sampled,
    /// With instrumentation, in a trace that is not recorded.
    Unsampled,
}

impl Form {
    /// # Errors
    /// There is no such form.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "bare" => Ok(Self::Bare),
            "sampled" => Ok(Self::Sampled),
            "unsampled" => Ok(Self::Unsampled),
            _ => Err(format!("`{name}` is no form").into()),
        }
    }
}

/// Some of one case.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    pub form: Form,
    pub count: u64,
}

/// Does the work of a case, and says how long it took without its preparation.
///
/// # Errors
/// There is no such case, or it cannot be prepared.
pub async fn run(case: &str, work: Work) -> Result<Duration> {
    match case {
        "server" => return server::run(work, false).await,
        "server_called" => return server::run(work, true).await,
        _ => {}
    }
    if let Some((kind, number)) = case.rsplit_once('-') {
        return scale::run(kind, number.parse()?, work).await;
    }
    // Servers begin a trace, everything else happens in one.
    let form = work.form;
    let work = async {
        match case {
            "sql" => sql::run(work).await,
            "http_client" => http_client::run(work).await,
            "redis" => redis::run(work).await,
            "job_send" => jobs::send(work).await,
            "job_process" => jobs::process(work).await,
            "grpc_server" => grpc::server(work).await,
            "grpc_client" => grpc::client(work).await,
            "inner" => inner::instrument(work).await,
            "traced" => inner::traced(work).await,
            "by_hand" => floor::exported(work).await,
            "sdk" => floor::dropped(work).await,
            "sdk_batch" => floor::queued(work).await,
            _ => Err(format!("`{case}` is no case").into()),
        }
    };
    work.with_context(parent(form)).await
}

/// A request's span.
fn parent(form: Form) -> Context {
    let flags = match form {
        Form::Unsampled => TraceFlags::default(),
        Form::Bare | Form::Sampled => TraceFlags::SAMPLED,
    };
    let (trace, span) = (TraceId::from(0x1234_5678), SpanId::from(0x1234));
    let span = SpanContext::new(trace, span, flags, false, TraceState::NONE);
    Context::new().with_remote_span_context(span)
}

async fn repeat<F: Future>(count: u64, mut work: impl FnMut(u64) -> F) -> Duration {
    let begun = Instant::now();
    for number in 0..count {
        std::hint::black_box(work(number).await);
    }
    begun.elapsed()
}

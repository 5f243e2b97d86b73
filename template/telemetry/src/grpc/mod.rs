//! gRPC: every call, served or made, is a span and counts into `rpc.server.call.duration` or `rpc.client.call.duration`,
//! and carries the trace and its deadline on. <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>
//!
//! Two tower middlewares, [`ServerLayer`] and [`Client`]. The outcome of a call is its `grpc-status`, which comes with the
//! response's head or, most often, in the trailers behind its body: so a span lasts until then, and that of a stream as
//! long as the stream. A message of a status, and metadata, never become part of a signal.

mod body;
mod call;
mod client;
mod deadline;
mod future;
mod method;
mod server;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName};
use tonic::Code;

pub use body::CallBody;
pub use client::Client;
pub use future::CallFuture;
pub use server::{Server, ServerLayer};

/// The instrumentation scope of all signals from here.
const SCOPE: &str = "telemetry.grpc";

static STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Why a call failed, in a word: an extension of the response that becomes `error.type` of span and metric. Without it, a
/// failed call has its status code there.
#[derive(Debug, Clone, Copy)]
pub struct ErrorType(pub &'static str);

/// The status in a response's head or trailers, if it is there.
fn status(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get(&STATUS)?;
    Some(Code::from_bytes(value.as_bytes()))
}

/// The code as the conventions spell it: <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#client>.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

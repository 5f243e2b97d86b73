//! Judges received telemetry by the semantic conventions, whose rows are in `ci/semconv/`. It knows nothing of the
//! scenario but what a span alone cannot tell: whether a request had a query, and whether its client hung up.

mod condition;
mod consistency;
mod exceptions;
mod judge;
mod metrics;
mod others;
mod registry;
mod report;
mod rpc;
mod spans;
#[cfg(test)]
mod tests;

pub use judge::{Evidence, judge};
pub use registry::{Registry, Row};
pub use report::{Report, Tally, Violation};

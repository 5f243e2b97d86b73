//! What must never come out of a service: secrets, wherever they were put in, and what the service is made of; what must
//! never be made of what goes in: lines of its log, and time series without end.
//!
//! Three runs of one binary: with everything exported, with everything on the console, and under a flood of names.

mod asks;
mod flood;
mod plant;
mod probes;
mod raw;
mod run;
mod search;

pub use run::{Report, run};

/// Every planted secret begins with this and goes on with the place where it was planted.
pub const MARK: &str = "c4n4ry";

/// What stands in a line that somebody forged.
const FORGED: &str = "FORGED";

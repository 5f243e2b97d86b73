//! What every stack must send for the fixed scenario, as text in `ci/contract/`: a file a step, a few for the metrics of
//! the whole run, one for the resource and one for the log records outside of any trace.

mod check;
mod compare;
mod differences;
mod law;
mod metrics;
mod normal;
mod render;
mod stacks;

pub use check::{Report, bless, judge, record_all, record_over, run};
pub use compare::{Difference, compare};
pub use differences::Forced;
pub use law::breaches;
pub use metrics::at_the_end;
pub use render::{Counts, Rendered, render};
pub use stacks::stacks;

use std::path::PathBuf;

/// Where the files are.
pub fn directory() -> PathBuf {
    crate::root().join("ci/contract")
}

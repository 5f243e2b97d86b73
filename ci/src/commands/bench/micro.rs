//! `cargo run --release -- bench micro`: what a span costs.

use std::process::ExitCode;

use anyhow::Result;

use crate::bench::micro::{self, Case, Plan};
use crate::progress::Progress;

/// Measure what one span of each edge costs, beside the floor that the SDK sets: instructions and allocations of the whole
/// process, by callgrind, less those of the same work without the span.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Spans of what.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_enum, default_values_t = Case::ALL)]
    cases: Vec<Case>,
    /// Spans that are counted of each.
    #[arg(long, default_value_t = 2_000)]
    count: u64,
    /// Also time them, by criterion.
    #[arg(long)]
    times: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Something cannot be built or run, or a span does not arrive.
pub fn run(args: Args) -> Result<ExitCode> {
    let plan = Plan {
        cases: args.cases,
        count: args.count.max(1),
        times: args.times,
    };
    let progress = Progress::new();
    let results = micro::run(&plan, &progress)?;
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", micro::report::markdown(&results));
    }
    Ok(ExitCode::SUCCESS)
}

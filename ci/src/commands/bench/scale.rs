//! `cargo run --release -- bench scale`: how cost grows with the work.

use std::process::ExitCode;

use anyhow::Result;

use crate::bench::scale::{self, Axis};
use crate::progress::Progress;

/// Measure how the cost of telemetry grows with the work: spans in a request, routes, ids and made-up paths, connections.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What grows.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_enum, default_values_t = Axis::ALL)]
    axes: Vec<Axis>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Something cannot be built or run, or a span does not arrive.
pub fn run(args: Args) -> Result<ExitCode> {
    let progress = Progress::new();
    let results = scale::run(&args.axes, &progress)?;
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", scale::markdown(&results));
    }
    Ok(ExitCode::SUCCESS)
}

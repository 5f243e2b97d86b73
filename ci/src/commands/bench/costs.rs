//! `cargo run --release -- bench costs`: what it costs to build and to start.

use std::process::ExitCode;

use anyhow::Result;

use crate::bench::costs::{self, Part, Plan, Subject};
use crate::progress::Progress;

/// Measure what it costs to build a service and to start it, beside a twin without telemetry. Every build is cold, so it takes
/// some twenty minutes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is built; the first is what the others are compared with.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_enum, default_values_t = Subject::ALL)]
    only: Vec<Subject>,
    /// What is measured.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_enum, default_values = ["crates", "debug", "release"])]
    parts: Vec<Part>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Something cannot be generated, built or run.
pub fn run(args: Args) -> Result<ExitCode> {
    let plan = Plan {
        only: args.only,
        parts: args.parts,
    };
    let progress = Progress::new();
    let results = costs::run(&plan, &progress)?;
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", costs::report::markdown(&results));
    }
    Ok(ExitCode::SUCCESS)
}

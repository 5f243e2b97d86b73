//! `cargo run --release -- bench`: what telemetry costs, beside a twin without any.

pub mod costs;
pub mod micro;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::bench::{self, Plan, Route, Variant};
use crate::progress::Progress;

/// Measure what telemetry costs: the default service in several settings beside a twin that has none, in turns.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// What is measured; the first is what the others are compared with.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Variant::ALL)]
    variants: Vec<Variant>,
    /// What is asked for.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Route::ALL)]
    routes: Vec<Route>,
    /// Slices of one second for each variant and route. 0 for instructions alone.
    #[arg(long, default_value_t = 7)]
    slices: usize,
    /// Connections that ask at the same time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Requests whose instructions are counted, where valgrind is found. 0 for none.
    #[arg(long, default_value_t = 2_000)]
    counted: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Also write the table to this file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// What else costs something.
#[derive(Debug, clap::Subcommand)]
enum Part {
    Micro(micro::Args),
    Costs(costs::Args),
}

/// # Errors
/// Something cannot be built or run, or a request fails.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.part {
        Some(Part::Micro(args)) => return micro::run(args),
        Some(Part::Costs(args)) => return costs::run(args),
        None => {}
    }
    let plan = Plan {
        variants: args.variants,
        routes: args.routes,
        slices: args.slices,
        connections: args.connections,
        counted: args.counted,
    };
    let progress = Progress::new();
    let results = bench::run(&plan, &progress)?;
    drop(progress);
    let table = bench::report::markdown(&results);
    if let Some(path) = args.markdown {
        fs::write(path, &table)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{table}");
    }
    Ok(ExitCode::SUCCESS)
}

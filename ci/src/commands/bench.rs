//! `cargo run --release -- bench`: what telemetry costs, beside a twin without any.

pub mod costs;
pub mod micro;
pub mod scale;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::bench::{self, Plan, Route, Variant, chart, report, soak, tables};
use crate::progress::Progress;
use crate::stacks::{self, Stack};

/// Measure what telemetry costs: the default service in several settings, beside a twin that has none and what others use, in
/// turns.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// The service to measure, such as actix-web-sqlite-reqwest [default: the default stack].
    #[arg(long)]
    stack: Option<Stack>,
    /// What is measured; the first is what the others are compared with.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_enum, default_values_t = Variant::ALL)]
    variants: Vec<Variant>,
    /// What is asked for.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_enum, default_values_t = Route::ALL)]
    routes: Vec<Route>,
    /// Slices of one second for each variant and route. 0 for instructions alone.
    #[arg(long, default_value_t = 5)]
    slices: usize,
    /// Further slices, with seven tenths of the requests that a variant can take.
    #[arg(long, default_value_t = 3)]
    paced: usize,
    /// Connections that ask at the same time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Requests whose instructions are counted by valgrind. 0 for none.
    #[arg(long, default_value_t = 2_000)]
    counted: usize,
    /// Instead of all that: as many requests as can be for so long, and what became of the spans.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    soak: Option<Duration>,
    /// Leave what callgrind wrote in this folder, to be read with callgrind_annotate.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Also write a compact table to this file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also write a chart to this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What else is to be known.
#[derive(Debug, clap::Subcommand)]
enum Part {
    Micro(micro::Args),
    Costs(costs::Args),
    Scale(scale::Args),
}

/// # Errors
/// Something cannot be built or run, or a request fails.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.part {
        Some(Part::Micro(args)) => return micro::run(args),
        Some(Part::Costs(args)) => return costs::run(args),
        Some(Part::Scale(args)) => return scale::run(args),
        None => {}
    }
    let plan = Plan {
        stack: args.stack.map_or_else(stacks::default, Ok)?,
        variants: args.variants,
        routes: args.routes,
        slices: args.slices,
        paced: args.paced,
        connections: args.connections,
        counted: args.counted,
        profiles: args.profiles,
    };
    let progress = Progress::new();
    let (table, json);
    if let Some(time) = args.soak {
        let all = bench::soak(plan, time, &progress)?;
        table = soak::markdown(&all);
        json = serde_json::to_string_pretty(&all)?;
        if let Some(path) = args.markdown {
            fs::write(path, &table)?;
        }
    } else {
        let rows = report::rows(&bench::run(plan, &progress)?);
        table = tables::full(&rows);
        json = serde_json::to_string_pretty(&rows)?;
        if let Some(path) = args.markdown {
            fs::write(path, tables::compact(&rows))?;
        }
        if let Some(path) = args.svg {
            fs::write(path, chart::svg(&rows))?;
        }
    }
    drop(progress);
    print!("{}", if args.json { json + "\n" } else { table });
    Ok(ExitCode::SUCCESS)
}

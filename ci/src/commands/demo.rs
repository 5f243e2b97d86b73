//! `cargo run -- demo`: the whole story of one stack, from the template to the telemetry that its service sends.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::demo::{Clock, Story};
use crate::progress::Progress;
use crate::stacks::{self, Stack};
use crate::waterfall::waterfall;
use crate::{collector, contract, house, subject, tour};

/// Generate a service, run it, and show the telemetry it sends.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A stack by name [default: the default stack].
    stack: Option<Stack>,
    /// Send the telemetry through another project's collector: Rotel, which PyPI has.
    #[arg(long)]
    collector: bool,
    /// Show one request's way through two services instead: one trace, with everything in it.
    #[arg(long, conflicts_with_all = ["stack", "collector", "rules", "json"])]
    tour: bool,
    /// Also show what each rule of the semantic conventions saw.
    #[arg(long)]
    rules: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service cannot be generated, built or run, or answers otherwise than the scenario says. Telemetry that is not
/// as it should be is no error: it is reported, and the exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.tour {
        return guide();
    }
    let stack = args.stack.map_or_else(stacks::default, Ok)?;
    let progress = Progress::new();
    let mut clock = Clock::default();

    progress.step(format!("generating {stack}"));
    let begun = Instant::now();
    let project = house::place(&stack)?;
    clock.generated = begun.elapsed();

    progress.step("building the service");
    let begun = Instant::now();
    let binary = subject::build(&project, &house::target(), &mut |line| {
        progress.detail(line)
    })?;
    clock.built = begun.elapsed();

    if args.collector {
        progress.step("installing the collector");
    }
    let collector = args.collector.then(collector::install).transpose()?;

    progress.step("running the scenario");
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let recordings = contract::record_all(&binary, &stack, collector.as_deref(), |step| {
        progress.detail(step.name);
    });
    let recordings = runtime.block_on(recordings)?;
    clock.ran = begun.elapsed();
    let report = contract::judge(&stack, &recordings)?;
    drop(progress);

    let story = Story {
        stack: stack.to_string(),
        clock,
        recordings,
        report,
        rules: args.rules,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&story.json())?);
    } else {
        println!("{story}");
    }
    Ok(if story.report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn guide() -> Result<ExitCode> {
    let progress = Progress::new();
    progress.step("building two services");
    let binaries = tour::build(&mut |line| progress.detail(line))?;
    progress.step("asking for GET /users/1");
    let runtime = tokio::runtime::Runtime::new()?;
    let tour = runtime.block_on(tour::run(&binaries))?;
    drop(progress);
    println!("{}\n", waterfall("GET /users/1 → 200", &tour.spans()));
    Ok(match tour.difference() {
        None => {
            println!("✓ one trace through two services, nothing else");
            ExitCode::SUCCESS
        }
        Some(difference) => {
            println!("✗ it is not what it must be\n{difference}");
            ExitCode::FAILURE
        }
    })
}

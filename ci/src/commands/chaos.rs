//! `cargo run -- chaos`: runs stacks through faults and prints what held.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::stacks::Set;
use crate::chaos::{FAULTS, Protocol, Rig, Row, STORIES};
use crate::progress::Progress;
use crate::stacks::Stack;
use crate::table;

/// Put services under load while their collector, their clients, their database, Redis or upstream fail: requests go on, memory is
/// bounded, every span is received or counted as lost, and the service recovers and stops in time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stacks by name [default: the default stack].
    #[arg(conflicts_with_all = ["flagship", "pairwise", "all"])]
    stacks: Vec<Stack>,
    #[command(flatten)]
    set: Set,
    /// Only these faults: a part of their name is enough.
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Requests of the load that each fault meets.
    #[arg(long, default_value_t = 3000)]
    requests: usize,
    /// Print JSON: an array of objects, one a fault.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `cargo-generate.toml` is not understood, a name is unknown, or a stack does not build. A broken promise is no error: it is
/// reported, and the exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let stacks = args.set.or(args.stacks.clone())?;
    for name in &args.only {
        let mut names = FAULTS.iter().map(|fault| fault.name);
        let mut others = STORIES.iter().map(|story| story.name);
        let known = names.any(|known| known.contains(name.as_str()))
            || others.any(|known| known.contains(name.as_str()));
        ensure!(known, "no fault is called {name}");
    }
    let progress = Progress::new();
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rows = Vec::new();
    for stack in &stacks {
        runtime.block_on(one(stack, &args, &progress, &mut rows))?;
    }
    drop(progress);

    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for stack in &stacks {
            print(stack, &rows);
        }
    }
    let held = rows.iter().filter(|row| row.ok()).count();
    eprintln!("{held} of {} runs kept every promise", rows.len());
    Ok(if held == rows.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn one(stack: &Stack, args: &Args, progress: &Progress, rows: &mut Vec<Row>) -> Result<()> {
    progress.step(format!("{stack}: building, and a look while all is well"));
    let mut line = |line: &str| progress.detail(line);
    let (rig, healthy) = Rig::new(stack, args.requests, &mut line).await?;
    rows.push(healthy);
    let wanted = |name: &str| {
        args.only.is_empty() || args.only.iter().any(|only| name.contains(only.as_str()))
    };
    let begin = |name: &str, protocol: Protocol| {
        progress.step(format!("{stack}: {name}, {}", protocol.name()));
        Instant::now()
    };
    let end = |begun: Instant, row: Result<Row>, name: &str, protocol: Protocol| {
        let row = row.unwrap_or_else(|error| {
            let mut row = Row::of(stack, name, protocol.name());
            row.broken.push(format!("{error:#}"));
            row
        });
        for sentence in &row.broken {
            let seconds = begun.elapsed().as_secs_f64();
            let protocol = protocol.name();
            progress.note(&format!(
                "✗ {stack}, {name}, {protocol}: {sentence} ({seconds:.1} s)"
            ));
        }
        row
    };
    for protocol in Protocol::ALL {
        for fault in FAULTS.iter().filter(|fault| wanted(fault.name)) {
            let begun = begin(fault.name, protocol);
            let row = fault.try_out(&rig, protocol).await;
            rows.push(end(begun, row, fault.name, protocol));
        }
    }
    for story in STORIES.iter().filter(|story| wanted(story.name)) {
        if story.applies_to(stack) {
            let begun = begin(story.name, Protocol::Grpc);
            let row = story.try_out(&rig).await;
            rows.push(end(begun, row, story.name, Protocol::Grpc));
        }
    }
    Ok(())
}

fn print(stack: &Stack, rows: &[Row]) {
    let name = stack.to_string();
    let of_it = rows.iter().filter(|row| row.stack == name);
    let mut cells = vec![Row::HEAD.map(str::to_owned).to_vec()];
    cells.extend(of_it.clone().map(Row::cells));
    println!("\n{name}\n\n{}", table::render(&cells));
    for row in of_it {
        for sentence in &row.broken {
            println!("✗ {}, {}: {sentence}", row.fault, row.protocol);
        }
    }
}

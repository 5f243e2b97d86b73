//! `cargo run -- check`: takes stacks through all steps and prints what became of them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::stacks::Set;
use crate::check::{Event, Outcome, Step, check};
use crate::progress::Progress;
use crate::stacks::Stack;
use crate::{table, together};

/// Generate stacks, then format check, clippy, their own tests, and a run against the contract.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stacks by name [default: the default stack].
    #[arg(conflicts_with_all = ["flagship", "pairwise", "all"])]
    stacks: Vec<Stack>,
    #[command(flatten)]
    set: Set,
    /// Begin no other stack after this time. The first stack is then chosen by the last commit, so that over time all get
    /// their turn.
    #[arg(long, value_parser = humantime::parse_duration)]
    budget: Option<Duration>,
    /// Only see whether they compile: all together, as members of one workspace.
    #[arg(long, conflicts_with_all = ["budget", "json"])]
    together: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `cargo-generate.toml` is not understood. A stack that fails is no error: it is reported, and the exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut stacks = args.set.or(args.stacks)?;
    if args.together {
        return together(&stacks);
    }
    if args.budget.is_some() {
        let turn = last_commit() % stacks.len().max(1);
        stacks.rotate_left(turn);
    }

    let begun = Instant::now();
    let progress = Progress::new();
    let mut outcomes = Vec::new();
    let mut unreached = Vec::new();
    for (index, stack) in stacks.iter().enumerate() {
        if args.budget.is_some_and(|budget| begun.elapsed() >= budget) {
            unreached.push(stack.to_string());
            continue;
        }
        let outcome = check(stack, &mut |event| match event {
            Event::Begin(step) => {
                progress.step(format!("[{}/{}] {stack} {step}", index + 1, stacks.len()))
            }
            Event::Line(line) => progress.detail(line),
        });
        if let Some(failure) = &outcome.failure {
            progress.note(&format!("\n{} failed: {failure}\n", outcome.stack));
        }
        outcomes.push(outcome);
    }
    drop(progress);

    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(
                &serde_json::json!({ "stacks": outcomes, "unreached": unreached })
            )?
        );
    } else {
        print!("{}", table::render(&rows(&outcomes)));
        for stack in unreached {
            println!("{stack}: not reached within the budget");
        }
    }
    if outcomes.is_empty() {
        bail!("no stack was checked: the budget is too small");
    }
    Ok(if outcomes.iter().all(Outcome::ok) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn together(stacks: &[Stack]) -> Result<ExitCode> {
    let progress = Progress::new();
    progress.step(format!("{} stacks together", stacks.len()));
    let begun = Instant::now();
    together::compile(stacks, &mut |line| progress.detail(line))?;
    drop(progress);
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("{} stacks compile ({minutes:.1} min)", stacks.len());
    Ok(ExitCode::SUCCESS)
}

/// Stack by step, in seconds.
fn rows(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let head = std::iter::once("stack".to_owned()).chain(Step::ALL.iter().map(Step::to_string));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for outcome in outcomes {
        let mut row = vec![outcome.stack.clone()];
        row.extend(
            outcome
                .steps
                .iter()
                .map(|(_, seconds)| format!("{seconds:.1} s")),
        );
        if let (false, Some(last)) = (outcome.ok(), row.last_mut()) {
            *last = "FAILED".to_owned();
        }
        row.resize(1 + Step::ALL.len(), "-".to_owned());
        rows.push(row);
    }
    rows
}

/// A number made of the last commit's hash; 0 without a repository.
fn last_commit() -> usize {
    let git = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(crate::root())
        .output();
    let hash = git
        .ok()
        .filter(|output| output.status.success())
        .map(|output| output.stdout)
        .unwrap_or_default();
    let digits = std::str::from_utf8(&hash)
        .ok()
        .and_then(|text| text.get(..7));
    digits
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .unwrap_or(0)
}

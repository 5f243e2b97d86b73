//! `cargo run -- leaks`: the last step of `check` alone, and what it counted.

use std::process::ExitCode;

use anyhow::Result;

use super::stacks::Set;
use crate::progress::Progress;
use crate::stacks::Stack;
use crate::{house, leaks};

/// Plant secrets in services and look for them in all that comes out; send bad requests, and a flood of made-up names.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stacks by name [default: the default stack].
    #[arg(conflicts_with_all = ["flagship", "pairwise", "all"])]
    stacks: Vec<Stack>,
    #[command(flatten)]
    set: Set,
}

/// # Errors
/// A service cannot be generated, built or run. A leak is no error: it is reported, and the exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let stacks = args.set.or(args.stacks)?;
    let progress = Progress::new();
    let mut passed = true;
    for stack in &stacks {
        progress.step(format!("{stack} leaks"));
        let project = house::place(stack)?;
        let report = leaks::run(stack, &project, &house::target())?;
        passed &= report.passed();
        progress.note(&format!("{stack}\n{report}"));
    }
    Ok(match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

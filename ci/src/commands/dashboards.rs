//! `cargo run -- dashboards`: does a real Prometheus answer what the dashboards and alerts ask of it?

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::dashboards::{self, Verdict};
use crate::progress::Progress;
use crate::stacks::Stack;
use crate::{house, subject};

/// A stack with everything that dashboards are about.
const DEFAULT: &str = "axum-sqlite-reqwest+redis+jobs+grpc+dashboards";

/// Show a service's metrics to a real Prometheus, and ask it all that the service's dashboards and alerts ask: each
/// must have an answer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stacks by name, with `dashboards` among their choices.
    #[arg(default_value = DEFAULT)]
    stacks: Vec<Stack>,
}

/// # Errors
/// A service does not build or run, or there is no Prometheus. A question without an answer is no error: it is reported, and the
/// exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let progress = Progress::new();
    let mut passed = true;
    for stack in &args.stacks {
        ensure!(
            stack.has("ops", "dashboards"),
            "{stack} has no dashboards: say {stack}+dashboards"
        );
        progress.step(format!("building {stack}"));
        let project = house::place(stack)?;
        let line = &mut |line: &str| progress.detail(line);
        let binary = subject::build(&project, &house::target(), line)?;
        progress.step(format!("asking what {stack} has answers for"));
        let Verdict {
            answered,
            unanswered,
        } = dashboards::ask(stack, &project, &binary)?;
        progress.note(&format!("{stack}: {answered} questions have an answer"));
        for question in &unanswered {
            progress.note(&format!("✗ no answer: {question}"));
        }
        passed &= unanswered.is_empty();
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

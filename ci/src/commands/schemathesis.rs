//! `cargo run -- schemathesis`: drives services from their own OpenAPI documents.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use crate::progress::Progress;
use crate::schemathesis::{self, Effort};
use crate::stacks::{self, Stack};
use crate::{house, openapi, subject};

/// Let Schemathesis ask services all that their OpenAPI documents allow, and what they do not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stacks by name [default: the default stack].
    stacks: Vec<Stack>,
    /// Requests for each operation and phase, at most.
    #[arg(long, default_value_t = 100)]
    examples: u32,
    /// The same seed, the same requests.
    #[arg(long, default_value_t = 1)]
    seed: u32,
}

/// # Errors
/// A service cannot be built or run, or does something else than its document says; the error says what.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut chosen = args.stacks;
    if chosen.is_empty() {
        chosen.push(stacks::default()?);
    }
    let effort = Effort {
        examples: args.examples,
        seed: args.seed,
    };
    let progress = Progress::new();
    progress.step("installing Schemathesis");
    let program = schemathesis::install()?;
    for stack in &chosen {
        ensure!(openapi::is_chosen(stack), "{stack} has no OpenAPI document");
        progress.step(format!("building {stack}"));
        let project = house::place(stack)?;
        let line = &mut |line: &str| progress.detail(line);
        let binary = subject::build(&project, &house::target(), line)?;
        progress.step(format!("driving {stack}"));
        let said = schemathesis::drive(&program, &binary, stack, effort, line);
        let said = said.with_context(|| stack.to_string())?;
        let cases = said.lines().find(|line| line.contains("generated"));
        progress.note(&format!("{stack}: {}", cases.unwrap_or_default().trim()));
    }
    Ok(ExitCode::SUCCESS)
}

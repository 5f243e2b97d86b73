//! `cargo run -- lock`: regenerates template/Cargo.lock.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use crate::progress::Progress;
use crate::{lock, stacks};

/// Regenerate template/Cargo.lock, the lock file of all stacks.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Move every dependency to its latest version that the services' `rust-version` allows.
    #[arg(long)]
    update: bool,
}

/// # Errors
/// Cargo cannot resolve the dependencies, or a service would not build what the lock file pins.
pub fn run(args: Args) -> Result<ExitCode> {
    let progress = Progress::new();
    progress.step("resolving all stacks together");
    let text = lock::superset(args.update)?;
    let changed = fs::read_to_string(lock::path()).ok().as_ref() != Some(&text);
    fs::write(lock::path(), &text)?;
    for stack in stacks::flagship()? {
        progress.step(format!("proving that {stack} builds what is pinned"));
        lock::prove(&stack)?;
    }
    drop(progress);
    let packages = text.matches("[[package]]").count();
    println!(
        "template/Cargo.lock pins {packages} packages{}",
        if changed { "" } else { ", as before" }
    );
    Ok(ExitCode::SUCCESS)
}

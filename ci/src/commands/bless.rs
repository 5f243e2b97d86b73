//! `cargo run -- bless`: accepts what is generated now as what should be generated.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::origin::Origins;
use crate::progress::Progress;
use crate::specimens::Specimen;
use crate::stacks::Stack;
use crate::{contract, house, openapi, root, snapshot};

/// Regenerate the snapshots of the pairwise stacks, and on demand the contract. Review what changed before
/// you commit it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also build and run stacks, and make the telemetry they send the contract [default: one for each set of parts].
    #[arg(long, value_name = "STACK", num_args = 0..)]
    contract: Option<Vec<Stack>>,
}

/// # Errors
/// A stack cannot be generated, built or run, or a file not be written.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.contract {
        None => {}
        Some(named) if named.is_empty() => contracts(&contract::stacks()?)?,
        Some(named) => contracts(&named)?,
    }
    snapshots()?;
    Ok(ExitCode::SUCCESS)
}

fn snapshots() -> Result<()> {
    let folder = snapshot::folder();
    fs::create_dir_all(&folder)?;
    let origins = Origins::read()?;
    let mut wanted = Vec::new();
    for specimen in Specimen::of(&snapshot::stacks()?)? {
        let path = snapshot::path(&specimen.stack);
        fs::write(&path, snapshot::render(&specimen, &origins)?)?;
        wanted.push(path);
    }
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if !wanted.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    println!("{} snapshots", wanted.len());
    Ok(())
}

fn contracts(stacks: &[Stack]) -> Result<()> {
    let progress = Progress::new();
    let mut changed = Vec::new();
    for stack in stacks {
        progress.step(format!("building and running {stack}"));
        let project = house::place(stack)?;
        let files = contract::bless(stack, &project, &house::target());
        changed.extend(files.with_context(|| stack.to_string())?);
        changed.extend(openapi::bless(stack, &project)?);
    }
    drop(progress);
    for path in &changed {
        println!(
            "{} changed",
            path.strip_prefix(root()).unwrap_or(path).display()
        );
    }
    println!("{} files of the contract changed", changed.len());
    Ok(())
}

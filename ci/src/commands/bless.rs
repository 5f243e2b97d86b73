//! `cargo run -- bless`: accepts what is generated now as what should be generated.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use crate::origin::Origins;
use crate::{snapshot, specimens};

/// Regenerate the snapshots of all stacks. Review the difference before you commit it.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// # Errors
/// A stack cannot be generated, or a file not be written.
pub fn run(Args {}: Args) -> Result<ExitCode> {
    let folder = snapshot::folder();
    fs::create_dir_all(&folder)?;
    let origins = Origins::read()?;
    let specimens = specimens::all()?;
    for specimen in specimens {
        fs::write(
            snapshot::path(&specimen.stack),
            snapshot::render(specimen, &origins)?,
        )?;
    }
    let wanted: Vec<_> = specimens
        .iter()
        .map(|specimen| snapshot::path(&specimen.stack))
        .collect();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if !wanted.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    println!("{} snapshots in {}", specimens.len(), folder.display());
    Ok(ExitCode::SUCCESS)
}

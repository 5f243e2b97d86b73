//! `cargo run -- workbench`: a stack to work in. Files that ship as they are, are symlinks into template/, so an editor,
//! clippy and tests work on the very files that ship. Rendered files are copies: change their `.liquid` seam, run again.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::origin::{Origins, template};
use crate::root;
use crate::specimens::Specimen;
use crate::stacks::{self, Stack};

/// Generate a stack into workbench/, with a symlink into template/ for every file that ships as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The stack [default: the default stack].
    stack: Option<Stack>,
}

/// # Errors
/// The generation fails, or workbench/ cannot be written.
pub fn run(args: Args) -> Result<ExitCode> {
    let stack = args.stack.map_or_else(stacks::default, Ok)?;
    let bench = root().join("workbench");
    let origins = Origins::read()?;
    let specimen = Specimen::new(&stack)?;
    clear(&bench).with_context(|| format!("cannot clear {}", bench.display()))?;
    let mut linked = 0;
    for (path, content) in &specimen.files {
        let place = bench.join(path);
        fs::create_dir_all(place.parent().unwrap_or(&bench))?;
        match origins.of(path, content) {
            // Cargo rewrites the lock file: the template's must not change by that.
            Some(origin) if path != Path::new("Cargo.lock") => {
                link(&template().join(origin), &place)?;
                linked += 1;
            }
            _ => fs::write(&place, content)?,
        }
    }
    println!(
        "{stack} is in {}: {linked} files are links into template/, {} are rendered copies",
        bench.display(),
        specimen.files.len() - linked
    );
    Ok(ExitCode::SUCCESS)
}

/// Everything goes but build output.
fn clear(bench: &Path) -> Result<()> {
    if !bench.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(bench)? {
        let entry = entry?;
        if entry.file_name() == "target" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?
        } else {
            fs::remove_file(entry.path())?
        }
    }
    Ok(())
}

#[cfg(unix)]
fn link(original: &Path, place: &Path) -> Result<()> {
    Ok(std::os::unix::fs::symlink(original, place)?)
}

#[cfg(windows)]
fn link(original: &Path, place: &Path) -> Result<()> {
    Ok(std::os::windows::fs::symlink_file(original, place)?)
}

//! Every stack, generated once in a process: what tidy tests and snapshots look at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use tempfile::TempDir;

use crate::files;
use crate::generate::generate;
use crate::stacks::{self, Stack};

/// The project name of every specimen.
pub const NAME: &str = "shop";

/// A freshly generated service.
#[derive(Debug)]
pub struct Specimen {
    pub stack: Stack,
    /// Every file by its path in the project.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    project: PathBuf,
    _folder: TempDir,
}

impl Specimen {
    /// Generates `stack` into a temporary folder, which goes when the specimen goes.
    ///
    /// # Errors
    /// The generation fails.
    pub fn new(stack: &Stack) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let project = generate(stack, NAME, folder.path())?;
        Ok(Self {
            stack: stack.clone(),
            files: files::read(&project)?,
            project,
            _folder: folder,
        })
    }

    /// The project's folder.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// The text of the file at `path`, `None` if there is none or it is no text.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(Path::new(path))?).ok()
    }
}

/// All whole services.
///
/// # Errors
/// A generation fails.
pub fn all() -> Result<&'static [Specimen]> {
    static SPECIMENS: OnceLock<Vec<Specimen>> = OnceLock::new();
    if let Some(specimens) = SPECIMENS.get() {
        return Ok(specimens);
    }
    let specimens = of(&stacks::all()?)?;
    Ok(SPECIMENS.get_or_init(|| specimens))
}

/// The stacks that are telemetry only.
///
/// # Errors
/// A generation fails.
pub fn telemetry_only() -> Result<&'static [Specimen]> {
    static SPECIMENS: OnceLock<Vec<Specimen>> = OnceLock::new();
    if let Some(specimens) = SPECIMENS.get() {
        return Ok(specimens);
    }
    let specimens = of(&stacks::telemetry_only()?)?;
    Ok(SPECIMENS.get_or_init(|| specimens))
}

fn of(stacks: &[Stack]) -> Result<Vec<Specimen>> {
    stacks.iter().map(Specimen::new).collect()
}

//! Where a generated file comes from: a file of `template/` as it is, or a rendered `.liquid` seam.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{files, root};

/// `template/` by content.
#[derive(Debug)]
pub struct Origins {
    verbatim: BTreeMap<Vec<u8>, Vec<PathBuf>>,
}

/// The folder that a service is made of.
pub fn template() -> PathBuf {
    root().join("template")
}

impl Origins {
    /// Reads `template/`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read() -> Result<Self> {
        let mut verbatim = BTreeMap::<_, Vec<_>>::new();
        for (path, content) in files::read(&template())? {
            if path
                .extension()
                .is_none_or(|extension| extension != "liquid")
            {
                verbatim.entry(content).or_default().push(path);
            }
        }
        Ok(Self { verbatim })
    }

    /// The file of `template/` that the generated file `path` is a copy of; `None` for a rendered one. Of several with the
    /// same content it is the one whose path is the most alike.
    pub fn of(&self, path: &Path, content: &[u8]) -> Option<&Path> {
        let alike = |origin: &&PathBuf| {
            origin
                .iter()
                .filter(|part| path.iter().any(|own| own == *part))
                .count()
        };
        let candidates = self.verbatim.get(content)?;
        let best = candidates
            .iter()
            .find(|origin| *origin == path)
            .or_else(|| candidates.iter().rev().max_by_key(alike));
        best.map(PathBuf::as_path)
    }
}

//! cargo-generate creates the project's folder before it asks or checks anything, and leaves it when it fails.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The entries of a folder before a generation.
#[derive(Debug, Clone)]
pub struct Leftovers {
    folder: PathBuf,
    before: BTreeSet<OsString>,
}

impl Leftovers {
    pub fn watch(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            before: entries(folder),
        }
    }

    /// What has appeared since.
    pub fn since(&self) -> Vec<PathBuf> {
        let now = entries(&self.folder);
        let new = now.difference(&self.before);
        new.map(|name| self.folder.join(name)).collect()
    }

    /// Removes the folder `name` and all that is in it, if it has appeared since.
    pub fn remove_folder(&self, name: &str) {
        let folder = self.folder.join(name);
        if self.since().contains(&folder) {
            // What cannot be removed stays, and can be seen.
            let _ = fs::remove_dir_all(folder);
        }
    }

    /// Removes the empty folders that have appeared since, nothing else.
    pub fn remove(&self) {
        for name in entries(&self.folder).difference(&self.before) {
            // Refuses a folder that holds anything, and a file.
            let _ = fs::remove_dir(self.folder.join(name));
        }
    }
}

fn entries(folder: &Path) -> BTreeSet<OsString> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect()
}

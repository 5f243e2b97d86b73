//! Trees of files: listing, comparing, mirroring.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// Every file below `root` with its content, by its path relative to `root`. Build output and repositories are left out.
///
/// # Errors
/// Something below `root` cannot be read.
pub fn read(root: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let entries = WalkDir::new(root)
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_output(entry.file_name()));
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_file() {
            let content =
                fs::read(entry.path()).with_context(|| entry.path().display().to_string())?;
            files.insert(entry.path().strip_prefix(root)?.to_owned(), content);
        }
    }
    Ok(files)
}

fn is_output(name: &std::ffi::OsStr) -> bool {
    name == "target" || name == ".git"
}

/// Makes the files of `to` those of `from`. A file that is the same already is not touched, so Cargo rebuilds only what
/// changed; `target` in `to` stays.
///
/// # Errors
/// A file cannot be read, written or removed.
pub fn mirror(from: &Path, to: &Path) -> Result<()> {
    let wanted = read(from)?;
    fs::create_dir_all(to)?;
    let present = read(to)?;
    for stale in present.keys().filter(|path| !wanted.contains_key(*path)) {
        fs::remove_file(to.join(stale))?;
    }
    for (path, content) in wanted {
        if present.get(&path) != Some(&content) {
            let path = to.join(path);
            fs::create_dir_all(path.parent().unwrap_or(to))?;
            fs::write(&path, content).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_replaces_what_differs_and_nothing_else() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (from.path(), to.path());
        for (path, text) in [("same", "s"), ("deep/changed", "new"), ("added", "a")] {
            fs::create_dir_all(from.join("deep")).unwrap();
            fs::write(from.join(path), text).unwrap();
        }
        for (path, text) in [
            ("same", "s"),
            ("deep/changed", "old"),
            ("stale", "x"),
            ("target/kept", "k"),
        ] {
            fs::create_dir_all(to.join("deep")).unwrap();
            fs::create_dir_all(to.join("target")).unwrap();
            fs::write(to.join(path), text).unwrap();
        }
        let untouched = fs::metadata(to.join("same")).unwrap().modified().unwrap();
        mirror(from, to).unwrap();
        assert_eq!(read(from).unwrap(), read(to).unwrap());
        assert_eq!(
            fs::metadata(to.join("same")).unwrap().modified().unwrap(),
            untouched
        );
        assert!(to.join("target/kept").exists());
    }
}

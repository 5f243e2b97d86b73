//! What was rendered against the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use similar::TextDiff;

/// One file that does not say what was received.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The file's name.
    pub file: String,
    /// `-` is the contract, `+` what was received.
    pub diff: String,
}

/// The differences between `received` (text by file name) and the files in `directory`. A file that is missing is a
/// difference.
///
/// # Errors
/// When a file cannot be read.
pub fn compare(
    received: &BTreeMap<String, String>,
    directory: &Path,
) -> anyhow::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for (name, actual) in received {
        let path = directory.join(name);
        let expected = if path.exists() {
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?
        } else {
            String::new()
        };
        if *actual != expected {
            let diff = TextDiff::from_lines(expected.as_str(), actual.as_str())
                .unified_diff()
                .context_radius(4)
                .header(&format!("contract/{name}"), "received")
                .to_string();
            differences.push(Difference {
                file: name.clone(),
                diff,
            });
        }
    }
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_both_sides() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.txt"), "SERVER GET\n    x = 1\n").unwrap();
        fs::write(directory.path().join("b.txt"), "same\n").unwrap();
        let received = BTreeMap::from([
            ("a.txt".to_owned(), "SERVER GET\n    x = 2\n".to_owned()),
            ("b.txt".to_owned(), "same\n".to_owned()),
            ("new.txt".to_owned(), "SERVER\n".to_owned()),
        ]);
        let differences = compare(&received, directory.path()).unwrap();
        let files: Vec<_> = differences
            .iter()
            .map(|difference| difference.file.as_str())
            .collect();
        assert_eq!(files, ["a.txt", "new.txt"]);
        assert!(
            differences[0].diff.contains("-    x = 1\n+    x = 2\n"),
            "{}",
            differences[0].diff
        );
    }
}

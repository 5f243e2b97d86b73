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

/// The contract's text of each file in `received`, empty where there is none.
///
/// # Errors
/// When a file cannot be read.
pub fn expected(
    received: &BTreeMap<String, String>,
    directory: &Path,
) -> anyhow::Result<BTreeMap<String, String>> {
    let read = |name: &String| {
        let path = directory.join(name);
        let text = if path.exists() {
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?
        } else {
            String::new()
        };
        Ok((name.clone(), text))
    };
    received.keys().map(read).collect()
}

/// The differences between what was received and what was expected, both text by file name.
pub fn compare(
    received: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, actual) in received {
        let expected = expected.get(name).map(String::as_str).unwrap_or_default();
        if actual != expected {
            let diff = TextDiff::from_lines(expected, actual.as_str())
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
    differences
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
        let differences = compare(&received, &expected(&received, directory.path()).unwrap());
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

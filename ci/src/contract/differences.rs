//! `ci/contract/differences.toml`: where a stack's libraries force it away from the contract, each place with the upstream
//! source that forces it. Nothing else may differ.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::directory;
use crate::stacks::Stack;

/// More than this, and it is no contract.
const AT_MOST: usize = 5;

/// One forced difference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forced {
    /// The choice that forces it, such as `rocket`.
    pub choice: String,
    /// The contract's file, without `.txt`.
    pub file: String,
    /// Text of the file, and what stands there instead.
    pub contract: String,
    pub instead: String,
    /// What the semantic conventions' judge says of it, if it does.
    pub violation: Option<String>,
    /// What happens, in a sentence.
    pub why: String,
    /// Where upstream does it.
    pub source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Forced>,
}

/// The differences that `stack` is allowed.
///
/// # Errors
/// The file is not understood, or has too many entries.
pub fn of(stack: &Stack) -> anyhow::Result<Vec<Forced>> {
    let path = directory().join("differences.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let all = parse(&text).with_context(|| path.display().to_string())?;
    let applies = |forced: &Forced| {
        stack
            .values()
            .any(|(_, value)| value.split(',').any(|choice| choice == forced.choice))
    };
    Ok(all.into_iter().filter(applies).collect())
}

fn parse(text: &str) -> anyhow::Result<Vec<Forced>> {
    let File { difference } = toml::from_str(text)?;
    ensure!(
        difference.len() <= AT_MOST,
        "{} differences, where {AT_MOST} are allowed",
        difference.len()
    );
    Ok(difference)
}

/// What the contract's files say for a stack with these differences.
///
/// # Errors
/// A difference that no longer meets the file: it is to be removed or mended.
pub fn apply(forced: &[Forced], expected: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    for Forced {
        file,
        contract,
        instead,
        choice,
        ..
    } in forced
    {
        // A stack without the file's step has nothing to differ in.
        let Some(text) = expected.get_mut(&format!("{file}.txt")) else {
            continue;
        };
        ensure!(
            text.contains(contract),
            "ci/contract/differences.toml: {file}.txt does not hold `{contract}` any more ({choice})"
        );
        *text = text.replace(contract, instead);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[difference]]\nchoice = \"rocket\"\nfile = \"a\"\ncontract = \"x = 1\"\ninstead = \"x = 2\"\n\
        why = \"it does\"\nsource = \"https://example.com\"\n";

    #[test]
    fn a_difference_replaces_text_of_the_contract() {
        let forced = parse(ENTRY).unwrap();
        let mut files = BTreeMap::from([("a.txt".to_owned(), "SERVER\n  x = 1\n".to_owned())]);
        apply(&forced, &mut files).unwrap();
        assert_eq!(files["a.txt"], "SERVER\n  x = 2\n");
        let stale = apply(&forced, &mut files).unwrap_err().to_string();
        assert!(stale.contains("a.txt does not hold"), "{stale}");
    }

    #[test]
    fn there_are_at_most_five() {
        assert!(parse(&ENTRY.repeat(5)).is_ok());
        assert!(parse(&ENTRY.repeat(6)).is_err());
    }

    #[test]
    fn those_of_today_are_understood_and_give_their_reasons() {
        let text = fs::read_to_string(directory().join("differences.toml")).unwrap();
        for forced in parse(&text).unwrap() {
            assert!(
                forced.source.starts_with("https://") && forced.why.len() > 20,
                "{forced:?}"
            );
        }
    }
}

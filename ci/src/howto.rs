//! Does what `telemetry/HOWTO.md` and `docs/guide.md` say, to the letter: what a reader is told is what is tested.
//!
//! A change is a line that ends in ``In `file`, <where>:`` and the fenced block behind it. Commands for a shell are none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::stacks::Stack;
use crate::{files, generate, house, lock, root};

/// One change to a file.
#[derive(Debug, PartialEq, Eq)]
struct Change<'a> {
    file: &'a str,
    place: Place<'a>,
    block: &'a str,
}

#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    New,
    End,
    Below(&'a str),
    BelowTheLast(&'a str),
    InsteadOf(&'a str),
}

/// Copies the plain service on `framework` into its folder of the house, generates its telemetry into it, and changes it as
/// the HOWTO says. Returns the folder.
///
/// # Errors
/// There is no such service, the generation fails, or the HOWTO speaks of something that the service has not.
pub fn follow(framework: &str) -> Result<PathBuf> {
    let plain = root().join("ci/plain").join(framework);
    let folder = tempfile::tempdir()?;
    files::mirror(&plain, folder.path())?;
    generate::generate_into(&stack(&plain)?, "plain", folder.path())?;
    let path = folder.path().join("telemetry/HOWTO.md");
    let howto = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    change_as(&howto, folder.path())?;
    // The versions that ship, which other stacks have compiled.
    fs::copy(lock::path(), folder.path().join("Cargo.lock"))?;
    let home = root().join("target/howto").join(framework);
    files::mirror(folder.path(), &home)?;
    Ok(home)
}

/// Makes the changes of `document` to the project in `folder`.
///
/// # Errors
/// A block of code is no change, or has no place there.
pub fn change_as(document: &str, folder: &Path) -> Result<()> {
    apply(&changes(document)?, folder)
}

/// The stack whose telemetry fits the plain service in `folder`.
///
/// # Errors
/// Its manifest names none.
pub fn stack(folder: &Path) -> Result<Stack> {
    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml"))?.parse()?;
    let howto = manifest["package"]
        .get("metadata")
        .and_then(|it| it.get("howto"));
    let stack = howto
        .and_then(|howto| howto.get("stack"))
        .and_then(toml::Value::as_str);
    stack.context("its manifest names no stack")?.parse()
}

/// Builds the service in `folder` and returns its binary.
///
/// # Errors
/// It does not build; the error holds the compiler's.
pub fn build(folder: &Path, line: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    house::run(house::cargo(folder).arg("build"), line)?;
    let name = crate::subject::package_name(folder)?;
    Ok(house::target()
        .join("debug")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

fn changes(howto: &str) -> Result<Vec<Change<'_>>> {
    let mut changes = Vec::new();
    let mut rest = howto;
    while let Some((text, after)) = rest.split_once("\n```") {
        let (block, after) = after.split_once("\n```").context("a block has no end")?;
        let (language, block) = block.split_once('\n').context("an empty block")?;
        if language != "sh" {
            let line = text.trim_end().lines().next_back().unwrap_or_default();
            changes.push(change(line, block).with_context(|| format!("`{line}`"))?);
        }
        rest = after;
    }
    ensure!(!changes.is_empty(), "there is no change in it");
    Ok(changes)
}

fn change<'a>(line: &'a str, block: &'a str) -> Result<Change<'a>> {
    let at = line.rfind("In `").context("names no file")?;
    let (file, place) = line[at + "In `".len()..]
        .split_once("`, ")
        .context("names no place")?;
    let place = place.strip_suffix(':').context("ends in no colon")?;
    let (word, anchor) = place.split_once('`').unwrap_or((place, ""));
    let anchor = anchor.trim_end_matches('`');
    let place = match word.trim() {
        "a new file" => Place::New,
        "at the end" => Place::End,
        "below" => Place::Below(anchor),
        "below the last" => Place::BelowTheLast(anchor),
        "instead of" => Place::InsteadOf(anchor),
        other => bail!("`{other}` is no place"),
    };
    Ok(Change { file, place, block })
}

fn apply(changes: &[Change<'_>], folder: &Path) -> Result<()> {
    let mut texts = BTreeMap::new();
    for change in changes {
        let path = folder.join(change.file);
        let text = match texts.remove(&path) {
            Some(text) => text,
            None if change.place == Place::New => {
                ensure!(!path.exists(), "{} is not new", path.display());
                String::new()
            }
            None => fs::read_to_string(&path).with_context(|| path.display().to_string())?,
        };
        let changed = changed(&text, change);
        let changed = changed.with_context(|| format!("{change:?} has no place in\n{text}"))?;
        texts.insert(path, changed);
    }
    for (path, text) in texts {
        fs::write(path, text)?;
    }
    Ok(())
}

/// `None` when there is no such place.
fn changed(text: &str, change: &Change<'_>) -> Option<String> {
    let Change { place, block, .. } = change;
    let below = |line: usize| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.insert(line + 1, block);
        lines.join("\n") + "\n"
    };
    let mut lines = text.lines();
    match *place {
        Place::New | Place::End => Some(format!("{text}{block}\n")),
        Place::Below(anchor) => lines.position(|line| line.contains(anchor)).map(below),
        Place::BelowTheLast(anchor) => {
            let lines = lines.enumerate().filter(|(_, line)| line.contains(anchor));
            lines.last().map(|(line, _)| below(line))
        }
        Place::InsteadOf(anchor) => text.contains(anchor).then(|| text.replace(anchor, block)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOWTO: &str = "# How\n\nFirst. In `a.rs`, below `fn`:\n\n```rust\nb\n```\n\nIn `a.rs`, instead of `x`:\n\n\
        ```rust\nyy\n```\nIn `a.rs`, below the last `b`:\n\n```rust\nc\n```\nIn `a.rs`, at the end:\n```\n\nd\n```\n\
        Try it:\n```sh\nls\n```\nIn `b.rs`, a new file:\n```\ne\n```\n";

    #[test]
    fn changes_are_read_and_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        fs::write(&path, "fn\nfn x x\n").unwrap();
        apply(&changes(HOWTO).unwrap(), folder.path()).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "fn\nb\nc\nfn yy yy\n\nd\n"
        );
        let new = fs::read_to_string(folder.path().join("b.rs")).unwrap();
        assert_eq!(new, "e\n");
        let again = "In `b.rs`, a new file:\n```\nf\n```";
        let again = change_as(again, folder.path()).unwrap_err();
        assert!(again.to_string().contains("is not new"), "{again}");
    }

    #[test]
    fn a_place_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.rs"), "fn\n").unwrap();
        let error = apply(&changes(HOWTO).unwrap(), folder.path()).unwrap_err();
        assert!(error.to_string().contains("InsteadOf(\"x\")"), "{error}");
        assert!(changes("Somewhere:\n```\nb\n```").is_err());
    }
}

//! The OpenAPI document, the same to the byte whatever the framework and the database: in `ci/openapi/`, a file for each set
//! of the parts that have routes of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use similar::TextDiff;

use crate::scenario::{Part, Parts};
use crate::stacks::Stack;
use crate::{house, root, subject};

/// The parts with routes of their own.
const VARIES: [Part; 2] = [Part::Client, Part::Grpc];
/// Stands for the name of the service, which is that of its stack.
const TITLE: &str = "\"title\": \"shop\"";

/// Whether `stack` has a document.
pub fn is_chosen(stack: &Stack) -> bool {
    stack.has("ops", "openapi")
}

/// Where the document of `stack` is.
pub fn path(stack: &Stack) -> PathBuf {
    let parts = Parts::of(stack);
    let mut name = String::from("openapi");
    for part in VARIES.into_iter().filter(|part| parts.has(*part)) {
        name = format!("{name}.{}", part.name());
    }
    root().join("ci/openapi").join(name + ".json")
}

/// Builds the service at `project` and compares its document with the file in `ci/openapi/`. A stack without one passes.
///
/// # Errors
/// It does not build, or says something else; the error shows the difference.
pub fn check(stack: &Stack, project: &Path) -> Result<()> {
    if !is_chosen(stack) {
        return Ok(());
    }
    let path = path(stack);
    let expected = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let document = document(project)?;
    let diff = TextDiff::from_lines(&expected, &document);
    ensure!(
        document == expected,
        "the OpenAPI document is another (`cargo run -- bless --contract {stack}` makes it the one to be):\n{}",
        diff.unified_diff().header("expected", "written")
    );
    Ok(())
}

/// As [`check`], but writes the file. Returns it if that changed it.
///
/// # Errors
/// The service does not build.
pub fn bless(stack: &Stack, project: &Path) -> Result<Option<PathBuf>> {
    if !is_chosen(stack) {
        return Ok(None);
    }
    let (path, document) = (path(stack), document(project)?);
    if fs::read_to_string(&path).is_ok_and(|present| present == document) {
        return Ok(None);
    }
    fs::write(&path, document).with_context(|| path.display().to_string())?;
    Ok(Some(path))
}

/// What the service writes, under a name that does not depend on the stack.
fn document(project: &Path) -> Result<String> {
    let binary = subject::build(project, &house::target(), &mut |_| ())?;
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(binary);
    command
        .current_dir(folder.path())
        .env("OTEL_SDK_DISABLED", "true")
        .args(["write-openapi", "openapi.json"]);
    house::run(&mut command, &mut |_| ())?;
    let document = fs::read_to_string(folder.path().join("openapi.json"))?;
    let title = format!("\"title\": \"{}\"", subject::package_name(project)?);
    ensure!(document.contains(&title), "the document has no {title}");
    Ok(document.replacen(&title, TITLE, 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::stacks;

    #[test]
    fn every_set_of_parts_has_its_file_and_no_file_is_left_over() {
        let chosen = stacks::all().unwrap().into_iter().filter(is_chosen);
        let wanted: BTreeSet<_> = chosen.map(|stack| path(&stack)).collect();
        let files = fs::read_dir(root().join("ci/openapi")).unwrap();
        let files: BTreeSet<_> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(files, wanted);
    }
}

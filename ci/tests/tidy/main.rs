//! What must hold for the repository and for every stack it generates, without compiling any of them.

mod generated;
mod hooks;
mod liquid;
mod seams;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ci::generate::generate;
use ci::{files, origin, root, tour};

/// A text file of the checkout, by its path from the root.
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of `template/`.
fn template() -> BTreeMap<PathBuf, Vec<u8>> {
    files::read(&origin::template()).unwrap()
}

/// Fails with all complaints at once.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    let long = ["template", "hooks", "ci"].into_iter().flat_map(|folder| {
        let files = files::read(&root().join(folder)).unwrap();
        files.into_iter().filter_map(move |(path, content)| {
            let name = path.to_string_lossy().into_owned();
            let source = [".rs", ".rs.liquid", ".rhai", ".toml", ".toml.liquid"]
                .iter()
                .any(|end| name.ends_with(end));
            let lines = content.iter().filter(|byte| **byte == b'\n').count();
            // What a program wrote, no person has to read through.
            let generated = name.contains("/generated/");
            (source && !generated && lines > 400)
                .then(|| format!("{folder}/{name} has {lines} lines"))
        })
    });
    none(long.collect());
}

#[test]
fn the_template_version_is_that_of_the_workspace() {
    let line = format!("template_version = \"{}\"", env!("CARGO_PKG_VERSION"));
    let certificate = read("template/.template.toml.liquid");
    assert!(
        certificate.contains(&line),
        "template/.template.toml.liquid lacks `{line}`"
    );
}

#[test]
fn the_tour_has_its_places() {
    let folder = tempfile::tempdir().unwrap();
    let project = generate(&tour::FIRST.parse().unwrap(), "first", folder.path()).unwrap();
    tour::plant(&project).unwrap();
}

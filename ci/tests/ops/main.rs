//! The files around a service: every one of them is read by the program it is for, or at least by its schema, and the names in
//! them are those of the service. Nothing is compiled; what no test can run here, the service's README says.

mod collectors;
mod habits;
mod manifests;
mod metrics;
mod names;
mod promql;
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ci::specimens::Specimen;
use serde_json::Value;
use tempfile::TempDir;

/// Every combination of choices that only add files, and every part beside them.
fn specimens() -> &'static [Specimen] {
    ci::specimens::around().unwrap()
}

/// Each text that a file with one of these endings has, once: by its stack and path, below a new folder.
fn texts(endings: &[&str]) -> (TempDir, Vec<PathBuf>) {
    let mut texts: BTreeMap<(&Path, &[u8]), String> = BTreeMap::new();
    for specimen in specimens() {
        for (path, content) in &specimen.files {
            if endings.iter().any(|ending| path.ends_with(ending)) {
                let stack = || specimen.stack.to_string();
                texts.entry((path, content)).or_insert_with(stack);
            }
        }
    }
    assert!(!texts.is_empty(), "there is no {endings:?}");
    let folder = tempfile::tempdir().unwrap();
    let write = |((path, content), stack): ((&Path, &[u8]), String)| {
        let path = folder.path().join(stack).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    };
    let paths = texts.into_iter().map(write).collect();
    (folder, paths)
}

/// All files of `specimen`, below a new folder.
fn tree(specimen: &Specimen, below: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in &specimen.files {
        if path.starts_with(below) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    folder
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Fails with all complaints at once.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_yaml_and_json_file_can_be_read() {
    let mut read = 0;
    for specimen in specimens() {
        for path in specimen.files.keys() {
            let name = path.to_string_lossy();
            let Some(text) = specimen.text(&name) else {
                continue;
            };
            if name.ends_with(".json") {
                let parsed: Result<Value, _> = serde_json::from_str(text);
                parsed.unwrap_or_else(|error| panic!("{}: {name}: {error}", specimen.stack));
                read += 1;
            } else if name.ends_with(".yaml") || name.ends_with(".yml") {
                for document in text.split("\n---\n") {
                    yaml(document);
                    read += 1;
                }
            }
        }
    }
    assert!(read > 500, "{read} documents");
}

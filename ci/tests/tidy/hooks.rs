//! `prune.rhai` and `check.rhai` name files and crates: all of them, and none that is not there.

use std::collections::BTreeSet;

use ci::options::{Options, Question};
use ci::{origin, specimens};

use crate::{none, read};

/// A path of the template, rendered or not.
fn exists(path: &str) -> bool {
    let template = origin::template();
    template.join(path).exists() || template.join(format!("{path}.liquid")).exists()
}

/// `path` as the template has it: below a folder that an alternative has taken the place of (`src/web`), it must be there
/// in each alternative.
fn exists_before_moves(path: &str, moves: &[Choose]) -> bool {
    let replaced = moves
        .iter()
        .find(|choose| path.starts_with(&format!("{}/", choose.folder)));
    match replaced {
        Some(Choose { folder, names }) => names
            .iter()
            .all(|name| exists(&path.replacen(folder, &format!("{folder}/{name}"), 1))),
        None => exists(path),
    }
}

fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

/// Without comments.
fn prune() -> Vec<String> {
    let hook = read("hooks/prune.rhai");
    hook.lines()
        .map(|line| {
            line.split("//")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .collect()
}

/// `choose(folder, question + ".rs", to)` or `choose(folder, "name.rs", to)`, all of one folder taken together.
struct Choose {
    folder: String,
    /// The alternatives that can be chosen.
    names: BTreeSet<String>,
}

fn chooses() -> Vec<Choose> {
    let mut chooses: Vec<Choose> = Vec::new();
    for line in prune().iter().filter(|line| line.starts_with("choose(")) {
        let arguments: Vec<_> = line["choose(".len()..]
            .trim_end_matches(");")
            .split(", ")
            .collect();
        let [folder, chosen, _to] = arguments[..] else {
            panic!("`{line}` is not read")
        };
        let names: Vec<String> = if chosen.starts_with('"') {
            vec![chosen.trim_matches('"').to_owned()]
        } else {
            let (question, suffix) = chosen.split_once(" + ").unwrap_or((chosen, ""));
            let values = match question {
                // Follows from the answers.
                "queue" => ["sqlite", "postgres", "redis"].map(str::to_owned).to_vec(),
                _ => {
                    let asked = Options::load().unwrap().question(question);
                    values(asked.unwrap_or_else(|| panic!("`{line}`: there is no such question")))
                        .map(str::to_owned)
                        .collect()
                }
            };
            let suffix = suffix.trim_matches('"');
            values
                .iter()
                .map(|value| format!("{value}{suffix}"))
                .collect()
        };
        let folder = folder.trim_matches('"').to_owned();
        match chooses.iter_mut().find(|choose| choose.folder == folder) {
            Some(choose) => choose.names.extend(names),
            None => chooses.push(Choose {
                folder,
                names: names.into_iter().collect(),
            }),
        }
    }
    assert!(chooses.len() > 3, "the hook is not read as it is written");
    chooses
}

#[test]
fn every_path_that_leaves_exists() {
    let chooses = chooses();
    let mut paths = 0;
    let mut complaints = Vec::new();
    for line in prune().iter().filter(|line| line.starts_with("leave(")) {
        for path in quoted(line) {
            paths += 1;
            if !exists_before_moves(path, &chooses) {
                complaints.push(format!("`{line}`: template/{path} does not exist"));
            }
        }
    }
    none(complaints);
    assert!(
        paths > 5,
        "the hook is not read as it is written: {paths} paths"
    );
}

/// Each alternative is there, and no file that nobody can choose.
#[test]
fn every_choice_has_its_alternative() {
    let mut complaints = Vec::new();
    for Choose { folder, names } in chooses() {
        let Ok(entries) = std::fs::read_dir(origin::template().join(&folder)) else {
            complaints.push(format!("template/{folder} does not exist"));
            continue;
        };
        let entries =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let present: BTreeSet<String> = entries
            .map(|name| name.trim_end_matches(".liquid").to_owned())
            .collect();
        let missing = names
            .difference(&present)
            .map(|name| format!("template/{folder}/{name} does not exist"));
        let unknown = present
            .difference(&names)
            .map(|name| format!("template/{folder}/{name} is never chosen"));
        complaints.extend(missing.chain(unknown));
    }
    none(complaints);
}

/// `none` has no file: what it takes away is listed by `leave`.
fn values(question: &Question) -> impl Iterator<Item = &str> {
    question
        .choices
        .iter()
        .map(|choice| &*choice.value)
        .filter(|value| *value != "none")
}

/// A service called like one of its dependencies would shadow it.
#[test]
fn no_project_can_be_called_like_a_dependency() {
    let hook = read("hooks/check.rhai");
    let taken = hook
        .split_once("const CRATES = [")
        .and_then(|(_, rest)| rest.split_once("];"))
        .unwrap()
        .0;
    let taken: BTreeSet<_> = quoted(taken).into_iter().collect();
    let mut missing = BTreeSet::new();
    for specimen in specimens::all().unwrap() {
        let manifests = ["Cargo.toml", "proto/Cargo.toml", "telemetry/Cargo.toml"];
        for manifest in manifests.iter().filter_map(|path| specimen.text(path)) {
            let manifest: toml::Table = toml::from_str(manifest).unwrap();
            for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
                let names = manifest
                    .get(table)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flat_map(toml::Table::keys);
                missing.extend(
                    names
                        .map(|name| name.replace('-', "_"))
                        .filter(|name| !taken.contains(&**name)),
                );
            }
        }
    }
    assert!(
        missing.is_empty(),
        "CRATES in hooks/check.rhai lacks {missing:?}"
    );
}

#[test]
fn hooks_run_no_command() {
    let mut complaints = Vec::new();
    for (path, content) in ci::files::read(&ci::root().join("hooks")).unwrap() {
        let text = String::from_utf8(content).unwrap();
        if text.contains("system::command") {
            complaints.push(format!(
                "hooks/{} runs a command: users would be asked to agree to it",
                path.display()
            ));
        }
        let listed = read("cargo-generate.toml").contains(&format!("\"hooks/{}\"", path.display()));
        if !listed {
            complaints.push(format!(
                "hooks/{} is not listed in cargo-generate.toml",
                path.display()
            ));
        }
    }
    none(complaints);
}

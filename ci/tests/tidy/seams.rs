//! The `.liquid` seams of the template.

use std::collections::BTreeSet;
use std::path::Path;

use ci::options::{Kind, Options};

use crate::liquid::{Piece, loop_variable, pieces, variables};
use crate::{none, read, template};

/// cargo-generate defines these.
const BUILT_IN: [&str; 5] = [
    "project-name",
    "crate_name",
    "within_cargo_project",
    "is_init",
    "authors",
];

fn seams() -> Vec<(String, String)> {
    let liquid = |path: &Path| {
        path.extension()
            .is_some_and(|extension| extension == "liquid")
    };
    let seams = template().into_iter().filter(|(path, _)| liquid(path));
    seams
        .map(|(path, content)| {
            (
                path.to_string_lossy().into_owned(),
                String::from_utf8(content).unwrap(),
            )
        })
        .collect()
}

/// A seam that `include` does not name would ship with its tags; an entry too many would render a file that is none.
#[test]
fn include_names_exactly_the_seams() {
    let config: toml::Table = toml::from_str(&read("cargo-generate.toml")).unwrap();
    let include = config["template"]["include"].as_array().unwrap();
    let include: BTreeSet<_> = include
        .iter()
        .map(|path| path.as_str().unwrap().to_owned())
        .collect();
    // By the place they have once the alternatives of a choice have moved to their neutral name.
    let mut found = BTreeSet::new();
    for (path, _) in seams() {
        let rendered = path.trim_end_matches(".liquid").to_owned();
        let options = Options::load().unwrap();
        let choices = options
            .questions
            .iter()
            .filter(|question| question.kind == Kind::One)
            .flat_map(|question| &question.choices);
        let neutral = choices.fold(rendered, |path, choice| {
            path.replace(&format!("/{}/", choice.value), "/")
        });
        found.insert(neutral);
    }
    assert_eq!(include, found);
}

#[test]
fn a_rust_seam_has_at_most_three_tag_pairs_and_none_nested() {
    let mut complaints = Vec::new();
    for (path, text) in seams()
        .iter()
        .filter(|(path, _)| path.ends_with(".rs.liquid"))
    {
        let (mut depth, mut pairs) = (0_i32, 0);
        for piece in pieces(text) {
            let Piece::Tag(tag) = piece else { continue };
            let word = tag.split_whitespace().next().unwrap_or_default();
            match word {
                "else" | "elsif" => {}
                _ if word.starts_with("end") => depth -= 1,
                _ => {
                    depth += 1;
                    pairs += 1;
                }
            }
            if depth > 1 {
                complaints.push(format!("{path}: `{tag}` is nested"));
            }
        }
        if depth != 0 {
            complaints.push(format!("{path}: a tag is not closed"));
        }
        if pairs > 3 {
            complaints.push(format!("{path}: {pairs} tag pairs"));
        }
    }
    none(complaints);
}

/// An undefined variable renders as nothing, silently.
#[test]
fn seams_read_only_variables_that_exist() {
    let hooks = read("hooks/prune.rhai");
    let set: Vec<_> = hooks
        .split("variable::set(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let questions = &Options::load().unwrap().questions;
    let mut complaints = Vec::new();
    for (path, text) in seams() {
        let pieces = pieces(&text);
        let loops: Vec<_> = pieces.iter().filter_map(loop_variable).collect();
        for name in pieces.iter().flat_map(variables) {
            let name = name.strip_suffix(".size").unwrap_or(name);
            let known = BUILT_IN.contains(&name)
                || set.contains(&name)
                || loops.contains(&name)
                || name.starts_with("forloop.")
                || questions.iter().any(|question| question.name == name);
            if !known {
                complaints.push(format!("{path}: nothing sets `{name}`"));
            }
        }
    }
    none(complaints);
}

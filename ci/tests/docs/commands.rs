//! Every command in a document is run by a test. Those of `cargo run -- …` are parsed where that program is (`main.rs`) or
//! asked of a service (`recipes.rs`); here are the others.

use std::collections::BTreeSet;

use ci::documents::{self, Document, told};
use ci::specimens::Specimen;
use ci::{files, root};
use clap::Args as _;

/// How commands begin, behind their variables, and the test that runs them, or reads what they read.
const RUN: [(&str, &str); 12] = [
    ("cargo run", "the_console_shows_each_trace_as_a_tree"),
    ("cargo test", "flagship"),
    (
        "cargo clippy --workspace --all-targets -- -D warnings",
        "flagship",
    ),
    ("cargo fmt --all", "flagship"),
    (
        "curl -i 'http://127.0.0.1:8080/products?q=lamp'",
        "a_newcomer_sees_a_trace",
    ),
    (
        "curl -X POST http://127.0.0.1:8080/external",
        "a_newcomer_sees_a_trace",
    ),
    (
        "git clone",
        "a_git_repository_gives_the_same_as_the_checkout",
    ),
    ("git merge template", "an_integration_is_added_later"),
    (
        "docker compose",
        "compose_files_and_dependabots_are_as_their_schemas_say",
    ),
    (
        "kubectl",
        "kustomize_builds_what_the_schemas_of_kubernetes_accept",
    ),
    (
        "promtool test rules",
        "alerts_fire_when_they_should_and_not_else",
    ),
    ("just", "what_just_is_told_to_do_is_in_the_justfile"),
];

/// What no test runs: it would load something, or wants what is not on every machine.
const UNRUN: [&str; 3] = [
    "cargo install cargo-generate --locked",
    "cargo deny check",
    "weaver registry",
];

/// The documents of this repository and of the largest service.
fn documents() -> Vec<Document> {
    let mut documents = documents::own().unwrap();
    for specimen in largest() {
        documents.extend(Document::among(&specimen.files));
    }
    documents
}

fn largest() -> Vec<Specimen> {
    let stacks = ["axum-postgres-reqwest+redis+jobs+grpc+kubernetes+dashboards"];
    Specimen::of(&stacks.map(|name| name.parse().unwrap())).unwrap()
}

/// The part of a command that is no variable.
fn without_variables(command: &str) -> &str {
    let mut rest = command;
    while let Some((word, after)) = rest.split_once(' ')
        && word.contains('=')
    {
        rest = after;
    }
    rest
}

#[test]
fn every_command_is_run() {
    let (mut unknown, mut met) = (BTreeSet::new(), BTreeSet::new());
    for document in documents() {
        for command in told(&document) {
            let command = without_variables(&command);
            let is = |start: &str| command == start || command.starts_with(&format!("{start} "));
            let run = RUN.iter().find(|(start, _)| is(start));
            if let Some((_, test)) = run {
                met.insert(*test);
            } else if command.starts_with("cargo generate") {
                generate(command);
            } else if !UNRUN.iter().any(|start| is(start)) && !command.starts_with("cd ") {
                unknown.insert(format!("{}: {command}", document.path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");

    let sources = files::read(&root().join("ci")).unwrap();
    let sources: Vec<_> = sources.into_values().collect();
    for (start, test) in RUN {
        assert!(met.contains(test), "no document says {start}");
        let test = format!("fn {test}(").into_bytes();
        let has = |source: &Vec<u8>| source.windows(test.len()).any(|part| part == test);
        assert!(sources.iter().any(has), "{start}: no such test");
    }
}

/// cargo-generate's own command line takes it.
fn generate(command: &str) {
    let words = command.replace("<this repository>", "URL");
    let cli = cargo_generate::GenerateArgs::augment_args(clap::Command::new("generate"));
    let parsed = cli.try_get_matches_from(words.split(' ').skip(1));
    parsed.unwrap_or_else(|error| panic!("{command}: {error}"));
}

#[test]
fn what_just_is_told_to_do_is_in_the_justfile() {
    let mut told_of = 0;
    for specimen in largest() {
        let justfile = specimen.text("justfile").unwrap();
        for document in Document::among(&specimen.files) {
            for command in told(&document) {
                if let Some(recipe) = command.strip_prefix("just ") {
                    let there = justfile.lines().any(|line| line == format!("{recipe}:"));
                    assert!(there, "{}: {command}", document.path.display());
                    told_of += 1;
                }
            }
        }
    }
    assert!(told_of > 0);
}

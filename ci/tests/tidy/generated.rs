//! Every stack, as a user gets it.

use std::path::Path;

use ci::origin::Origins;
use ci::specimens::{self, Specimen};
use ci::{house, root};

use crate::none;

/// Words that may only occur where the feature is there, by question. A stack that answers `none` has nothing to say about
/// them in any text a user reads.
const WORDS: [(&str, &[&str]); 2] = [
    (
        "database",
        &[
            "DATABASE_URL",
            "DATABASE_MAX_CONNECTIONS",
            "/users",
            "sqlite",
            "SQLite",
            "sqlx",
            "SQL",
            "migrat",
        ],
    ),
    (
        "http_client",
        &[
            "UPSTREAM_URL",
            "UPSTREAM_TIMEOUT",
            "/external",
            "TELEMETRY_TRUSTED_HOSTS",
        ],
    ),
];

/// Services, and what is telemetry only.
fn everything() -> impl Iterator<Item = &'static Specimen> {
    let services = specimens::all().unwrap();
    services.iter().chain(specimens::telemetry_only().unwrap())
}

/// Files for reading: nothing in them is checked by a compiler.
fn is_prose(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".md", ".env", "justfile", "Dockerfile", ".yaml", ".yml"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[test]
fn no_text_speaks_of_an_absent_feature() {
    let mut complaints = Vec::new();
    for Specimen { stack, files, .. } in everything() {
        for (path, content) in files.iter().filter(|(path, _)| is_prose(path)) {
            let text = String::from_utf8_lossy(content);
            for (question, words) in WORDS
                .iter()
                .filter(|(question, _)| stack.has(question, "none"))
            {
                for word in words.iter().filter(|word| text.contains(**word)) {
                    complaints.push(format!(
                        "{stack}: {} says `{word}`, but {question} is none",
                        path.display()
                    ));
                }
            }
        }
    }
    none(complaints);
}

/// Else the test above proves nothing.
#[test]
fn the_readme_speaks_of_present_features() {
    let mut complaints = Vec::new();
    for specimen in specimens::all().unwrap() {
        let readme = specimen.text("README.md").unwrap();
        for (question, words) in WORDS
            .iter()
            .filter(|(question, _)| !specimen.stack.has(question, "none"))
        {
            if !words.iter().any(|word| readme.contains(word)) {
                complaints.push(format!(
                    "{}: the README says nothing of its {question}",
                    specimen.stack
                ));
            }
        }
    }
    none(complaints);
}

/// cargo-generate copies a file whose tags fail at run time as it is, and reports success.
#[test]
fn nothing_of_liquid_is_left() {
    let origins = Origins::read().unwrap();
    let mut complaints = Vec::new();
    for Specimen { stack, files, .. } in everything() {
        for (path, content) in files
            .iter()
            .filter(|(path, content)| origins.of(path, content).is_none())
        {
            let text = String::from_utf8_lossy(content);
            for mark in ["{%", "%}", "{{"]
                .iter()
                .filter(|mark| text.contains(**mark))
            {
                complaints.push(format!("{stack}: `{mark}` is left in {}", path.display()));
            }
        }
        complaints.extend(
            files
                .keys()
                .filter(|path| path.extension().is_some_and(|e| e == "liquid"))
                .map(|path| format!("{stack}: {} is not rendered", path.display())),
        );
    }
    none(complaints);
}

/// A file is a copy of the template's, or one of the seams that `include` names.
#[test]
fn what_is_not_rendered_is_the_template_byte_for_byte() {
    let origins = Origins::read().unwrap();
    let config: toml::Table = toml::from_str(&crate::read("cargo-generate.toml")).unwrap();
    let include = config["template"]["include"].as_array().unwrap();
    let mut complaints = Vec::new();
    for Specimen { stack, files, .. } in everything() {
        for (path, content) in files {
            let rendered = include.iter().any(|name| name.as_str() == path.to_str());
            if !rendered && origins.of(path, content).is_none() {
                complaints.push(format!(
                    "{stack}: {} is no copy of a file in template/",
                    path.display()
                ));
            }
        }
    }
    none(complaints);
}

#[test]
fn nothing_of_the_maintainers_side_is_there() {
    let mut complaints = Vec::new();
    let theirs = [
        "ci",
        "hooks",
        "template",
        "workbench",
        ".ci",
        "cargo-generate.toml",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ];
    for Specimen { stack, files, .. } in specimens::all().unwrap() {
        for path in files.keys() {
            let first = path.iter().next().unwrap_or_default();
            if theirs.iter().any(|name| first == *name) {
                complaints.push(format!("{stack}: {} is the maintainers'", path.display()));
            }
        }
        let mentions = files
            .iter()
            .filter(|(path, content)| is_prose(path) && contains(content, "cargo-generate.toml"));
        complaints.extend(
            mentions.map(|(path, _)| {
                format!("{stack}: {} names the maintainers' files", path.display())
            }),
        );
        // Our README is not theirs.
        let own = std::fs::read(root().join("README.md")).unwrap_or_default();
        if files
            .get(Path::new("README.md"))
            .is_none_or(|readme| *readme == own)
        {
            complaints.push(format!("{stack}: README.md is not the service's"));
        }
    }
    none(complaints);
}

fn contains(content: &[u8], text: &str) -> bool {
    content
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Formatted as generated: older versions of cargo-generate do not run rustfmt, and `--no-fmt` exists.
#[test]
fn every_stack_is_formatted() {
    let mut complaints = Vec::new();
    for specimen in specimens::all().unwrap() {
        let mut cargo = house::cargo(specimen.project());
        if let Err(error) = house::run(
            cargo.args(["fmt", "--all", "--check", "--", "--color", "never"]),
            &mut |_| (),
        ) {
            complaints.push(format!("{}: {error:#}", specimen.stack));
        }
    }
    none(complaints);
}

/// The certificate reproduces the service: `new --values-file` reads it.
#[test]
fn the_birth_certificate_holds_every_answer() {
    for specimen in everything() {
        let certificate: toml::Table =
            toml::from_str(specimen.text(".template.toml").unwrap()).unwrap();
        let values = certificate["values"].as_table().unwrap();
        let expected: Vec<_> = specimen.stack.values().collect();
        let written: Vec<_> = values
            .iter()
            .map(|(question, answer)| (&**question, answer.as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(written, expected, "{}", specimen.stack);
    }
}

/// So it can be generated into a project, whose own files it leaves alone.
#[test]
fn telemetry_only_is_one_folder() {
    for specimen in specimens::telemetry_only().unwrap() {
        let outside = specimen
            .files
            .keys()
            .filter(|path| !path.starts_with("telemetry"));
        let outside: Vec<_> = outside.map(|path| path.display().to_string()).collect();
        assert_eq!(outside, [".template.toml"], "{}", specimen.stack);
        assert!(specimen.text("telemetry/HOWTO.md").is_some());
        let mut cargo = house::cargo(&specimen.project().join("telemetry"));
        let format = cargo.args(["fmt", "--check", "--", "--color", "never"]);
        house::run(format, &mut |_| ()).unwrap();
    }
}

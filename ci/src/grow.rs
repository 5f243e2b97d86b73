//! Generates anew into a project that has gone on since: onto a branch that holds nothing but what the template made, for
//! `git merge` to bring together with what people made of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use cargo_generate::GenerateArgs;

use crate::generate::{quiet, silently};

/// The branch.
pub const BRANCH: &str = "template";
const CERTIFICATE: &str = ".template.toml";

/// What was made.
#[derive(Debug)]
pub struct Grown {
    /// Files that differ from what the template made before.
    pub changed: usize,
}

/// Generates from `template` with the answers that `project` was generated with, except for `answers` (as `-d` takes them),
/// and commits that on the branch `template` of the project's repository. The project's own branch and files stay as they
/// are.
///
/// # Errors
/// The project is no repository, has no certificate, or cannot be generated.
pub fn grow(project: &Path, template: &Path, answers: &[String]) -> Result<Grown> {
    let certificate = project.join(CERTIFICATE);
    ensure!(
        certificate.exists(),
        "{} has no {CERTIFICATE}, so it is not known what it was generated with",
        project.display()
    );
    let top = git(project, &["rev-parse", "--show-toplevel"])
        .context("what the template makes is merged by git")?;
    ensure!(
        Path::new(top.trim()).canonicalize()? == project.canonicalize()?,
        "{} is not the top of its repository",
        project.display()
    );
    begin(project)?;

    let folder = tempfile::tempdir()?;
    let tree = folder.path().join("tree");
    let path = tree.display().to_string();
    git(project, &["worktree", "add", "--quiet", &path, BRANCH])?;
    let grown = renew(&tree, project, template, answers);
    git(project, &["worktree", "remove", "--force", &path])?;
    grown
}

/// The branch begins where the project began: at the commit that brought the certificate.
fn begin(project: &Path) -> Result<()> {
    let branch = format!("refs/heads/{BRANCH}");
    if git(project, &["rev-parse", "--verify", "--quiet", &branch]).is_ok() {
        return Ok(());
    }
    let log = ["log", "--diff-filter=A", "--format=%H", "--", CERTIFICATE];
    let added = git(project, &log)?;
    let first = added.lines().last().with_context(|| {
        format!("no commit holds {CERTIFICATE}: commit the project as it was generated")
    })?;
    git(project, &["branch", BRANCH, first]).map(drop)
}

fn renew(tree: &Path, project: &Path, template: &Path, answers: &[String]) -> Result<Grown> {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(tree.join("Cargo.toml"))?)?;
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    let name = name
        .and_then(toml::Value::as_str)
        .context("Cargo.toml has no name")?;
    // Of files that are no longer made, nothing may stay.
    git(tree, &["rm", "-r", "--quiet", "."])?;
    let config = tempfile::NamedTempFile::new()?;
    silently(GenerateArgs {
        name: Some(name.to_owned()),
        force: true,
        destination: Some(tree.to_owned()),
        init: true,
        overwrite: true,
        define: answers.to_vec(),
        template_values_file: Some(project.join(CERTIFICATE).display().to_string()),
        no_workspace: true,
        ..quiet(template, config.path())
    })?;
    // It is the project's: people update it, and a build adds to it what is new.
    if git(tree, &["cat-file", "-e", "HEAD:Cargo.lock"]).is_ok() {
        git(tree, &["checkout", "--quiet", "HEAD", "--", "Cargo.lock"])?;
    }
    git(tree, &["add", "--all"])?;
    let changed = git(tree, &["diff", "--cached", "--name-only"])?
        .lines()
        .count();
    if changed > 0 {
        let message = "What the template makes now";
        git(
            tree,
            &["commit", "--quiet", "--no-verify", "--message", message],
        )?;
    }
    Ok(Grown { changed })
}

/// # Errors
/// With what git said.
pub fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("git is needed")?;
    if !output.status.success() {
        bail!(
            "git {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The template as commit `revision` of this checkout has it, in `folder`.
///
/// # Errors
/// There is no such commit, or no `tar`.
pub fn template_of(revision: &str, folder: &Path) -> Result<PathBuf> {
    let archive = folder.join("template.tar");
    let output = format!("--output={}", archive.display());
    git(
        crate::root(),
        &["archive", "--format=tar", &output, revision],
    )?;
    let template = folder.join("template");
    fs::create_dir(&template)?;
    let status = Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(&template)
        .status();
    ensure!(status.context("tar is needed")?.success(), "tar failed");
    Ok(template)
}

//! `cargo run -- upgrade-check`: does a service of an earlier template take what the template makes now?

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use cargo_generate::GenerateArgs;

use crate::generate::{quiet, silently};
use crate::progress::Progress;
use crate::{files, grow, house, root};

/// Generate the default service of an earlier commit, change its code as people do, merge what the template makes now, build
/// and test it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The earlier commit.
    #[arg(long, value_name = "COMMIT", default_value = "HEAD~1")]
    from: String,
    /// Only merge: neither build nor test.
    #[arg(long)]
    merge_only: bool,
}

/// # Errors
/// The merge is not clean, or what comes out does not build or pass; the error says which.
pub fn run(args: Args) -> Result<ExitCode> {
    let progress = Progress::new();
    progress.step(format!("generating the service of {}", args.from));
    let folder = tempfile::tempdir()?;
    let project = start(&args.from, folder.path())?;
    progress.step("merging what the template makes now");
    let changed = grow::grow(&project, root(), &[])?.changed;
    grow::git(&project, &["merge", "--quiet", "--no-edit", grow::BRANCH])?;
    for Edit { path, ours, .. } in EDITS {
        let text = fs::read_to_string(project.join(path))?;
        ensure!(text.contains(ours), "the merge lost `{ours}` of {path}");
    }
    if !args.merge_only {
        // Built where a second run finds what the first one compiled.
        let home = root().join("target/services").join(NAME);
        files::mirror(&project, &home)?;
        for arguments in [&["build", "--workspace"][..], &["test", "--workspace"]] {
            progress.step(format!("cargo {}", arguments.join(" ")));
            let mut line = |line: &str| progress.detail(line);
            let output = house::run(house::cargo(&home).args(arguments), &mut line)?;
            ensure!(
                arguments[0] != "test" || output.contains(OUR_TEST),
                "our own test was not run:\n{output}"
            );
        }
    }
    drop(progress);
    println!(
        "{changed} files changed since {}; merged{}",
        args.from,
        if args.merge_only {
            ""
        } else {
            ", built, tested"
        }
    );
    Ok(ExitCode::SUCCESS)
}

/// What the service is called.
const NAME: &str = "upgraded";

/// What people do to a service: text put before an anchor that every version has, or at the end of a file.
pub struct Edit {
    path: &'static str,
    anchor: Option<&'static str>,
    ours: &'static str,
}

const OUR_TEST: &str = "test users::ours::nobody_is_called_root ... ok";

/// In a handler, and in the domain, with a test.
pub const EDITS: [Edit; 3] = [
    Edit {
        path: "src/web/products.rs",
        anchor: Some("    Ok(Json(products::search(&state, search).await?))"),
        ours: "    tracing::debug!(ours = true, \"searching\");\n",
    },
    Edit {
        path: "src/users/mod.rs",
        anchor: Some("        if errors.is_empty() {"),
        ours: r#"        if self.name == "root" {
            errors.push(FieldError {
                field: "name",
                detail: "is ours",
            });
        }
"#,
    },
    Edit {
        path: "src/users/mod.rs",
        anchor: None,
        ours: r#"
#[cfg(test)]
mod ours {
    #[test]
    fn nobody_is_called_root() {
        let (name, email) = ("root".to_owned(), "root@example.com".to_owned());
        assert!(super::NewUser { name, email }.validate().is_err());
    }
}
"#,
    },
];

/// Changes the files of `project` as people do, and commits that.
///
/// # Errors
/// An anchor is not there.
pub fn edit(project: &Path) -> Result<()> {
    for Edit { path, anchor, ours } in EDITS {
        let file = project.join(path);
        let mut text = fs::read_to_string(&file).with_context(|| path.to_owned())?;
        let at = match anchor {
            Some(anchor) => text
                .find(anchor)
                .with_context(|| format!("{path} has no `{anchor}`"))?,
            None => text.len(),
        };
        text.insert_str(at, ours);
        fs::write(file, text)?;
    }
    commit(project, "Ours")
}

/// Commits everything, as somebody whom git knows.
///
/// # Errors
/// What git said.
pub fn commit(project: &Path, message: &str) -> Result<()> {
    if grow::git(project, &["config", "user.email"]).is_err() {
        grow::git(project, &["config", "user.email", "somebody@example.com"])?;
        grow::git(project, &["config", "user.name", "Somebody"])?;
    }
    grow::git(project, &["add", "--all"])?;
    grow::git(project, &["commit", "--quiet", "--message", message]).map(drop)
}

fn start(revision: &str, folder: &Path) -> Result<std::path::PathBuf> {
    let template = grow::template_of(revision, folder)?;
    let config = tempfile::NamedTempFile::new()?;
    let project = silently(GenerateArgs {
        name: Some(NAME.to_owned()),
        destination: Some(folder.to_owned()),
        no_workspace: true,
        ..quiet(&template, config.path())
    })?;
    grow::git(&project, &["init", "--quiet", "--initial-branch=main"])?;
    commit(&project, "As it was generated")?;
    edit(&project)?;
    Ok(project)
}

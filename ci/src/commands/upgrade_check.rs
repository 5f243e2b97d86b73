//! `cargo run -- upgrade-check`: does a service of an earlier template take what the template makes now?

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use cargo_generate::{GenerateArgs, TemplatePath, Vcs};

use crate::generate::silently;
use crate::progress::Progress;
use crate::{grow, house, root};

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
    for (path, mark) in EDITS.map(|edit| (edit.path, edit.mark)) {
        let text = fs::read_to_string(project.join(path))?;
        ensure!(text.contains(mark), "the merge lost `{mark}` of {path}");
    }
    if !args.merge_only {
        for arguments in [&["build", "--workspace"][..], &["test", "--workspace"]] {
            progress.step(format!("cargo {}", arguments.join(" ")));
            let mut line = |line: &str| progress.detail(line);
            house::run(house::cargo(&project).args(arguments), &mut line)?;
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

/// What people do to a service: text put behind an anchor that every version has.
pub struct Edit {
    path: &'static str,
    anchor: &'static str,
    mark: &'static str,
}

/// In a handler's file, and in the domain.
pub const EDITS: [Edit; 2] = [
    Edit {
        path: "src/web/products.rs",
        anchor: "pub(super) fn routes()",
        mark: "/// Ours: the catalogue.\n",
    },
    Edit {
        path: "src/users/mod.rs",
        anchor: "#[derive(Debug, Deserialize)]\npub struct NewUser",
        mark: "/// Ours: who signs up.\n",
    },
];

/// Changes the files of `project` as people do, and commits that.
///
/// # Errors
/// An anchor is not there.
pub fn edit(project: &Path) -> Result<()> {
    for Edit { path, anchor, mark } in EDITS {
        let file = project.join(path);
        let text = fs::read_to_string(&file).with_context(|| path.to_owned())?;
        let at = text
            .find(anchor)
            .with_context(|| format!("{path} has no `{anchor}`"))?;
        fs::write(file, format!("{}{mark}{}", &text[..at], &text[at..]))?;
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
        template_path: TemplatePath {
            path: Some(template.display().to_string()),
            ..TemplatePath::default()
        },
        name: Some("shop".to_owned()),
        destination: Some(folder.to_owned()),
        config: Some(config.path().to_owned()),
        silent: true,
        quiet: true,
        no_fmt: true,
        bin: true,
        no_workspace: true,
        vcs: Some(Vcs::None),
        ..GenerateArgs::default()
    })?;
    grow::git(&project, &["init", "--quiet", "--initial-branch=main"])?;
    commit(&project, "As it was generated")?;
    edit(&project)?;
    Ok(project)
}

//! `cargo run -- new`: `cargo generate` on this checkout.

mod parent;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use cargo_generate::{GenerateArgs, Vcs};
use parent::Parent;

use crate::generate::{Leftovers, from_checkout};
use crate::options::Options;
use crate::{explain, grow, root};

/// Generate a service from this checkout: the questions and flags of `cargo generate`, but an unknown `-d` is refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the project and of its folder; converted to kebab-case unless `--force` is given.
    #[arg(long, short)]
    name: Option<String>,
    /// Keep the name as it is.
    #[arg(long, short)]
    force: bool,
    /// Ask nothing: take the default of each question that has no `-d`.
    #[arg(long, short, requires = "name")]
    silent: bool,
    /// Answer a question, `-d database=none`.
    #[arg(long, short, value_name = "QUESTION=ANSWER")]
    define: Vec<String>,
    /// Answers from the table `[values]` of a TOML file, such as the `.template.toml` of an earlier service.
    #[arg(long, value_name = "FILE", alias = "template-values-file")]
    values_file: Option<PathBuf>,
    /// The folder that will hold the project's folder [default: the current one].
    #[arg(long, value_name = "PATH")]
    destination: Option<PathBuf>,
    /// Generate right into the current folder (or `--destination`), and initialise no repository.
    #[arg(long)]
    init: bool,
    /// Overwrite files that exist.
    #[arg(long, short)]
    overwrite: bool,
    /// The repository to initialise: `git` or `none`.
    #[arg(long, default_value = "git")]
    vcs: Vcs,
    /// Generate anew into a project that has gone on since, with its answers and those of `-d`: onto its branch `template`,
    /// for `git merge template`.
    #[arg(long, value_name = "PROJECT", conflicts_with_all = ["name", "init", "destination", "values_file"])]
    into: Option<PathBuf>,
    /// Explain every choice: what it adds, and what it needs. Generate nothing.
    #[arg(long)]
    list: bool,
    /// Do not join the Cargo workspace that the project lies in.
    #[arg(long)]
    no_workspace: bool,
}

/// # Errors
/// An answer that is not allowed, before anything is written. What cargo-generate itself refuses it prints; the exit
/// code is then 1.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.list {
        print!("{}", explain::all()?);
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::load()?;
    for (key, value) in answers(&args)? {
        options.validate(&key, &value)?;
    }
    if let Some(project) = &args.into {
        return into(project, &args.define);
    }
    let destination = args
        .destination
        .clone()
        .map_or_else(std::env::current_dir, Ok)?;
    ensure!(
        destination.is_dir(),
        "the destination {} is not a folder",
        destination.display()
    );
    refuse_checkout(&destination)?;
    ensure!(
        args.silent || std::io::stdin().is_terminal(),
        "the questions need a terminal; without one, give `--silent --name NAME` and `-d QUESTION=ANSWER`"
    );
    if std::env::var_os(INNER).is_some() {
        // An error was already shown, in cargo-generate's words.
        return Ok(match cargo_generate::generate(arguments(args)) {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        });
    }
    // A folder is no file, and is made only where one can be.
    tempfile::tempdir_in(&destination)
        .with_context(|| format!("nothing can be written to {}", destination.display()))?;
    let parent = match args.no_workspace {
        true => None,
        false => Parent::above(&destination)?,
    };
    let name = args
        .name
        .as_deref()
        .map(|name| folder_name(name, args.force));
    if let (Some(parent), Some(name)) = (&parent, &name) {
        parent.has_room_for(name)?;
    }

    let leftovers = Leftovers::watch(&destination);
    let status = inner()?;
    if let Some(parent) = &parent {
        parent.mend().context("the workspace's Cargo.toml")?;
    }
    if !status.success() {
        leftovers.remove();
        if let Some(name) = name.filter(|_| !args.init && !args.overwrite) {
            leftovers.remove_folder(&name);
        }
        // A prompt hides it, and was not asked any more.
        let _ = console::Term::stderr().show_cursor();
        return Ok(ExitCode::FAILURE);
    }
    if args.vcs == Vcs::Git && !args.init {
        let is_project = |folder: &PathBuf| folder.join(".template.toml").exists();
        for project in leftovers.since().into_iter().filter(is_project) {
            git_init(&project);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Set in the process that generates.
const INNER: &str = "CI_NEW_INNER";

/// The generation is a process of its own: whatever ends it, Ctrl-C at a prompt included, this one cleans up.
fn inner() -> Result<std::process::ExitStatus> {
    let mut inner = Command::new(std::env::current_exe()?);
    inner.args(std::env::args_os().skip(1)).env(INNER, "1");
    inner.status().context("cannot generate")
}

/// What cargo-generate makes of a name.
fn folder_name(name: &str, force: bool) -> String {
    if force {
        name.to_owned()
    } else {
        heck::AsKebabCase(name).to_string()
    }
}

fn into(project: &Path, answers: &[String]) -> Result<ExitCode> {
    let grown = grow::grow(project, root(), answers)?;
    if grown.changed == 0 {
        println!("the template makes nothing else than before");
    } else {
        let (changed, project) = (grown.changed, project.display());
        println!("{changed} files differ from what the template made before. Bring them in:");
        println!("  cd {project} && git merge {}", grow::BRANCH);
    }
    Ok(ExitCode::SUCCESS)
}

fn arguments(args: Args) -> GenerateArgs {
    GenerateArgs {
        name: args.name,
        force: args.force,
        silent: args.silent,
        define: args.define,
        template_values_file: args.values_file.map(|path| path.display().to_string()),
        destination: args.destination,
        init: args.init,
        overwrite: args.overwrite,
        vcs: Some(Vcs::None),
        no_workspace: args.no_workspace,
        ..from_checkout()
    }
}

/// Every answer given on the command line or in the values file.
fn answers(args: &Args) -> Result<Vec<(String, String)>> {
    let mut answers = Vec::new();
    if let Some(path) = &args.values_file {
        answers
            .extend(file_answers(path).with_context(|| format!("values file {}", path.display()))?);
    }
    for define in &args.define {
        let Some((key, value)) = define.split_once('=') else {
            bail!("`-d {define}` has no value; write `-d QUESTION=ANSWER`");
        };
        answers.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(answers)
}

fn file_answers(path: &Path) -> Result<Vec<(String, String)>> {
    let file: toml::Table = toml::from_str(&std::fs::read_to_string(path)?)?;
    let values = file
        .get("values")
        .and_then(toml::Value::as_table)
        .context("there is no table `[values]`")?;
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Array(items) => items
            .iter()
            .map(toml::Value::as_str)
            .collect::<Option<Vec<_>>>()
            .map(|v| v.join(",")),
        _ => None,
    };
    values
        .iter()
        .map(|(key, value)| {
            Ok((
                key.clone(),
                text(value).with_context(|| {
                    format!("`{key}` is neither a string nor an array of strings")
                })?,
            ))
        })
        .collect()
}

/// A service inside the checkout would become a member of its workspace.
fn refuse_checkout(destination: &Path) -> Result<()> {
    let (destination, root) = (destination.canonicalize()?, root().canonicalize()?);
    ensure!(
        !destination.starts_with(&root),
        "this would generate into the template's own checkout; give `--destination` a folder outside of {}",
        root.display()
    );
    Ok(())
}

/// As cargo-generate does it: not inside another project or repository.
fn git_init(project: &Path) {
    let inside = |folder: &Path| folder.join("Cargo.toml").exists();
    if project.ancestors().skip(1).any(inside) || git(project, &["rev-parse", "--git-dir"]) {
        return;
    }
    if !git(project, &["init", "--quiet"]) {
        eprintln!(
            "git could not initialise a repository in {}; the project itself is complete",
            project.display()
        );
    }
}

fn git(folder: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

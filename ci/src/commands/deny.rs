//! `cargo run -- deny`: whether the services' own `deny.toml` lets their dependencies pass.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use super::stacks::Set;
use crate::progress::Progress;
use crate::stacks::{self, Stack};
use crate::{house, table};

/// Check licences, bans, sources and advisories of services by cargo-deny, if it is on PATH or named by $CARGO_DENY.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stacks by name [default: the flagship stacks].
    #[arg(conflicts_with_all = ["flagship", "pairwise", "all"])]
    stacks: Vec<Stack>,
    #[command(flatten)]
    set: Set,
}

/// What needs no network.
const LOCAL: [&str; 3] = ["licenses", "bans", "sources"];

/// What cargo-deny says then.
const UNREACHABLE: &str = "failed to fetch advisory database";

/// # Errors
/// `cargo-generate.toml` is not understood, or a service cannot be generated. A check that fails is no error: it is reported,
/// and the exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let Some(program) = find() else {
        println!(
            "not run: cargo-deny is neither on PATH nor named by CARGO_DENY (`cargo install --locked cargo-deny`)"
        );
        return Ok(ExitCode::SUCCESS);
    };
    let stacks = match args.set.stacks()? {
        Some(stacks) => stacks,
        None if args.stacks.is_empty() => stacks::flagship()?,
        None => args.stacks,
    };
    let progress = Progress::new();
    let (mut passed, mut unreachable) = (true, false);
    let head = ["stack", "licenses", "bans", "sources", "advisories"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for stack in &stacks {
        progress.step(format!("{stack} deny"));
        let project = house::place(stack)?;
        let mut row = vec![stack.to_string()];
        for check in LOCAL {
            let verdict = deny(&program, &project, check);
            passed &= verdict.is_ok();
            row.push(word(&progress, stack, verdict));
        }
        // Once is enough to know: who asks waits for an answer that does not come.
        let advisories = match unreachable {
            true => Err(UNREACHABLE.to_owned()),
            false => deny(&program, &project, "advisories"),
        };
        row.push(match advisories {
            Err(text) if text.contains(UNREACHABLE) => {
                unreachable = true;
                "not run: their database cannot be reached".to_owned()
            }
            verdict => {
                passed &= verdict.is_ok();
                word(&progress, stack, verdict)
            }
        });
        rows.push(row);
    }
    drop(progress);
    print!("{}", table::render(&rows));
    Ok(match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn word(progress: &Progress, stack: &Stack, verdict: Result<(), String>) -> String {
    match verdict {
        Ok(()) => "ok".to_owned(),
        Err(text) => {
            progress.note(&format!("\n{stack}: {text}\n"));
            "FAILED".to_owned()
        }
    }
}

/// The program that `CARGO_DENY` names, or the one on PATH.
fn find() -> Option<PathBuf> {
    let named = env::var_os("CARGO_DENY").filter(|name| !name.is_empty());
    let on_path = || {
        let folders = env::var_os("PATH")?;
        let program = format!("cargo-deny{}", env::consts::EXE_SUFFIX);
        let mut programs = env::split_paths(&folders).map(|folder| folder.join(&program));
        programs.find(|program| program.is_file())
    };
    named.map(PathBuf::from).or_else(on_path)
}

fn deny(program: &Path, project: &Path, check: &str) -> Result<(), String> {
    let mut deny = Command::new(program);
    deny.args(["--color", "never", "check", "--hide-inclusion-graph", check])
        .current_dir(project);
    house::run(&mut deny, &mut |_| ())
        .map(drop)
        .map_err(|error| format!("{error:#}"))
}

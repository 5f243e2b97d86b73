//! Instructions of a request, by callgrind: all that the process runs in user mode, on all its threads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::load::Load;
use super::report::Measured;
use super::running::{Programs, Running};
use super::{Plan, Route, Variant};
use crate::progress::Progress;
use crate::servers;

/// It is slow there, and more would only wait.
const CONNECTIONS: usize = 16;

/// # Errors
/// It is not there and cannot be installed; the error says what to install.
pub(super) fn valgrind() -> Result<PathBuf> {
    // Without the C library's symbols it does not start.
    servers::program(&["valgrind"], &["valgrind", "libc6-dbg"])
}

/// Several at a time: they are slow, and unlike times instructions are the same however busy the machine is.
pub(super) async fn all(
    valgrind: &Path,
    plan: &Plan,
    programs: &Programs,
    results: &mut [Measured],
    progress: &Progress,
) -> Result<()> {
    let instructions = async |result: &mut Measured| {
        let count = instructions(valgrind, plan, programs, result.variant, result.route);
        result.instructions = Some(count.await?);
        anyhow::Ok(())
    };
    let compiled = results
        .iter_mut()
        .filter(|result| !result.variant.is_python());
    let mut compiled: Vec<_> = compiled.collect();
    for pair in compiled.chunks_mut(2) {
        let names = pair
            .iter()
            .map(|one| format!("{}, {}", one.variant, one.route));
        let names: Vec<_> = names.collect();
        progress.step(format!("counting instructions: {}", names.join("; ")));
        match pair {
            [one, two] => drop(tokio::try_join!(instructions(one), instructions(two))?),
            rest => {
                for one in rest {
                    instructions(one).await?;
                }
            }
        }
    }
    Ok(())
}

/// Two runs, one with five times the requests of the other: what starting and stopping takes is in both.
async fn instructions(
    valgrind: &Path,
    plan: &Plan,
    programs: &Programs,
    variant: Variant,
    route: Route,
) -> Result<u64> {
    let few = (plan.counted / 4).max(1);
    let folder = tempfile::tempdir()?;
    let folder = plan.profiles.as_deref().unwrap_or(folder.path());
    fs::create_dir_all(folder)?;
    let run = async |requests| {
        let out = folder.join(format!("{variant}-{route}-{requests}.callgrind"));
        run(valgrind, programs, variant, route, requests, &out).await
    };
    let (less, more) = tokio::try_join!(run(few), run(5 * few))?;
    Ok(more.saturating_sub(less) / (4 * few as u64))
}

async fn run(
    valgrind: &Path,
    programs: &Programs,
    variant: Variant,
    route: Route,
    requests: usize,
    out: &Path,
) -> Result<u64> {
    let wrap = [
        valgrind.display().to_string(),
        "--tool=callgrind".to_owned(),
        // Or the thread that runs keeps running, and those that export wait.
        "--fair-sched=try".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let running = Running::start(programs, variant, &wrap).await?;
    Load::on(running.service.address(), route, CONNECTIONS)
        .times(requests)
        .await?;
    running.stop().await?;
    let counted = fs::read_to_string(out).context("callgrind wrote nothing")?;
    let total = counted.lines().rev().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        ["totals", "summary"]
            .contains(&key)
            .then(|| value.trim().parse().ok())?
    });
    total.context("callgrind wrote no total")
}

//! Instructions of a request, by callgrind: all that the process runs in user mode, on all its threads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::build::Binaries;
use super::load::Load;
use super::{Plan, Route, Running, Variant};

/// It is slow there, and more would only wait.
const CONNECTIONS: usize = 16;

pub(super) fn valgrind() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("valgrind"))
        .find(|path| path.is_file())
}

/// Two runs, one with five times the requests of the other: what starting and stopping takes is in both.
pub(super) async fn instructions(
    valgrind: &Path,
    plan: &Plan,
    binaries: &Binaries,
    variant: Variant,
    route: Route,
) -> Result<u64> {
    let few = (plan.counted / 4).max(1);
    let binary = binaries.of(variant);
    let less = run(valgrind, binary, variant, route, few).await?;
    let more = run(valgrind, binary, variant, route, 5 * few).await?;
    Ok(more.saturating_sub(less) / (4 * few as u64))
}

async fn run(
    valgrind: &Path,
    binary: &Path,
    variant: Variant,
    route: Route,
    requests: usize,
) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("callgrind.out");
    let wrap = [
        valgrind.display().to_string(),
        "--tool=callgrind".to_owned(),
        // Or the thread that runs keeps running, and those that export wait.
        "--fair-sched=try".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let running = Running::start(variant, binary, &wrap).await?;
    Load::on(running.service.address(), route, CONNECTIONS)
        .times(requests)
        .await?;
    running.stop().await?;
    let counted = fs::read_to_string(&out).context("callgrind wrote nothing")?;
    let total = counted.lines().rev().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        ["totals", "summary"]
            .contains(&key)
            .then(|| value.trim().parse().ok())?
    });
    total.context("callgrind wrote no total")
}

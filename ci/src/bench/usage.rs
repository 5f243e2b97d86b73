//! What a process takes, from `/proc`; where it may run.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Processor time so far, of all threads, in user and kernel.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?, 11)
}

/// Processor time of all processes that this one has started and seen end, and of theirs.
pub(super) fn children() -> Result<Duration> {
    ticks(&fs::read_to_string("/proc/self/stat")?, 13)
}

/// User's and kernel's, which stand side by side.
fn ticks(stat: &str, at: usize) -> Result<Duration> {
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("a stat without a name")?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(at)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // A tick is a hundredth of a second on every Linux there is.
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

/// Resident memory in bytes.
pub(super) fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.context("a status without VmRSS")? * 1024)
}

/// What goes before a command, so that it has one core for itself and the load another. Nothing where that cannot be.
pub(super) fn on_first_core() -> Vec<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores > 1 && Path::new("/usr/bin/taskset").exists() {
        ["/usr/bin/taskset", "-c", "0"].map(str::to_owned).to_vec()
    } else {
        Vec::new()
    }
}

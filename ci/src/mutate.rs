//! The judge is judged: a service that is right passes, and each of many faults that are planted in a copy of it, one at a
//! time, makes the contract or the conformance check fail with words that name the fault.

mod mutation;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::contract;
use crate::scenario::Transport;
use crate::stacks::Stack;
use crate::{files, house, subject};

pub use mutation::{Mutation, all};
pub use verdict::{Finding, Judge, findings};

/// Has every part that a fault can be planted in.
pub const STACK: &str = "axum-sqlite-reqwest+redis+jobs+grpc";

/// What became of one fault.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It was found, and this is what named it.
    Named(Finding),
    /// It was found, but nothing that was said names it. Holds what was said.
    Unnamed(Vec<Finding>),
    /// Nobody noticed.
    Survived,
    /// It could not be planted, or what came of it is no program. Holds why.
    Broken(String),
}

/// One fault with its fate.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub mutation: Mutation,
    pub fate: Fate,
    pub took: Duration,
}

impl Outcome {
    pub fn ok(&self) -> bool {
        matches!(self.fate, Fate::Named(_))
    }
}

/// Generates `stack` and judges it as it is.
///
/// # Errors
/// When it does not build or run, or does not pass: then no fault would tell anything.
pub fn baseline(stack: &Stack, line: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let project = house::place(stack)?;
    let binary = subject::build_incrementally(&project, &house::target(), line)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let recordings = runtime.block_on(contract::record_all(&binary, stack, None, |_| {}))?;
    let report = contract::judge(stack, &recordings)?;
    ensure!(
        report.passed(),
        "the service fails without any fault in it:\n{report}"
    );
    Ok(())
}

/// Plants `mutation` in a copy of `stack`'s service, which [`baseline`] has made, and sees what the judges say.
pub fn try_out(mutation: &Mutation, stack: &Stack, line: &mut dyn FnMut(&str)) -> Outcome {
    let begun = Instant::now();
    let judged = built(mutation, stack, line).and_then(|binary| said(mutation, stack, &binary));
    let fate = match judged {
        Ok(said) => fate(mutation, said),
        Err(error) => Fate::Broken(format!("{error:#}")),
    };
    Outcome {
        mutation: mutation.clone(),
        fate,
        took: begun.elapsed(),
    }
}

/// The copy lies where that of the unchanged service was, and shares its target directory: only what the fault is in,
/// and what depends on it, is built again.
fn built(
    mutation: &Mutation,
    stack: &Stack,
    line: &mut dyn FnMut(&str),
) -> anyhow::Result<PathBuf> {
    let copy = tempfile::tempdir()?;
    files::mirror(&house::home(stack), copy.path())?;
    mutation.plant(copy.path())?;
    subject::build_incrementally(copy.path(), &house::target(), line).context("it does not compile")
}

/// What the judges say of the service, run by run until one of them names the fault.
fn said(mutation: &Mutation, stack: &Stack, binary: &Path) -> anyhow::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut recordings = Vec::new();
    let mut said = Vec::new();
    for transport in Transport::ALL {
        let recorded = contract::record_over(transport, binary, stack, None, |_| {});
        match runtime.block_on(recorded) {
            Ok(recording) => recordings.push(recording),
            Err(error) => {
                said.push(Finding::of(&error));
                break;
            }
        }
        said = findings(&contract::judge(stack, &recordings)?);
        if said
            .iter()
            .any(|finding| mutation.is_named_by(&finding.line))
        {
            break;
        }
    }
    Ok(said)
}

fn fate(mutation: &Mutation, said: Vec<Finding>) -> Fate {
    let names = said
        .iter()
        .find(|finding| mutation.is_named_by(&finding.line));
    match names {
        Some(finding) => Fate::Named(finding.clone()),
        None if said.is_empty() => Fate::Survived,
        None => Fate::Unnamed(said),
    }
}

#[cfg(test)]
mod tests;

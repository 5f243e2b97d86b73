//! The faults, which `ci/mutations/` lists: a file for each part of the telemetry.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::scenario::{Part, Parts};
use crate::stacks::Stack;

/// One fault: text of the service, and what stands there instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// Unique, for the command line.
    pub name: String,
    /// What is wrong with such a service, in a few words.
    pub fault: String,
    /// Parts (`sql`, `client`, `redis`, `jobs`, `grpc`) or choices (`sqlite`) without which there is no such place.
    #[serde(default)]
    pub needs: Vec<String>,
    /// In the generated project.
    pub file: String,
    /// Must be there, once.
    pub text: String,
    pub instead: String,
    /// All of them are in the one line that names the fault.
    pub named: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mutation: Vec<Mutation>,
}

/// Where the files are.
fn directory() -> PathBuf {
    crate::root().join("ci/mutations")
}

/// All faults, file by file.
///
/// # Errors
/// A file cannot be read or is not understood, or two faults have one name.
pub fn all() -> anyhow::Result<Vec<Mutation>> {
    let mut paths = fs::read_dir(directory())?
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    let mut all: Vec<Mutation> = Vec::new();
    for path in paths {
        let shown = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(shown)?;
        let File { mutation } = toml::from_str(&text).with_context(shown)?;
        for mutation in mutation {
            let is_taken = all.iter().any(|known| known.name == mutation.name);
            ensure!(!is_taken, "two faults are called {}", mutation.name);
            ensure!(
                !mutation.named.is_empty(),
                "{}: nothing would name it",
                mutation.name
            );
            all.push(mutation);
        }
    }
    Ok(all)
}

impl Mutation {
    /// Whether `stack` has the place where the fault is planted.
    pub fn applies_to(&self, stack: &Stack) -> bool {
        let parts = Parts::of(stack);
        self.needs.iter().all(|need| {
            let part = Part::ALL.into_iter().find(|part| part.name() == need);
            match part {
                Some(part) => parts.has(part),
                None => stack
                    .values()
                    .any(|(question, _)| stack.has(question, need)),
            }
        })
    }

    /// Plants the fault in the service at `project`.
    ///
    /// # Errors
    /// When the place is not there: the template moved on and `ci/mutations/` did not.
    pub fn plant(&self, project: &Path) -> anyhow::Result<()> {
        let path = project.join(&self.file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let planted = self.planted(&text)?;
        fs::write(&path, planted).with_context(|| path.display().to_string())
    }

    /// `text`, the file's, with the fault in it.
    ///
    /// # Errors
    /// As for [`Self::plant`].
    pub fn planted(&self, text: &str) -> anyhow::Result<String> {
        let Self {
            file, text: place, ..
        } = self;
        let times = text.matches(place.as_str()).count();
        ensure!(
            times > 0,
            "the fault cannot be planted any more: {file} has no\n{place}"
        );
        ensure!(
            times == 1,
            "the fault has no one place any more: {file} has {times} of\n{place}"
        );
        Ok(text.replacen(place.as_str(), &self.instead, 1))
    }

    /// Whether `line` names the fault.
    pub fn is_named_by(&self, line: &str) -> bool {
        self.named.iter().all(|words| line.contains(words.as_str()))
    }
}

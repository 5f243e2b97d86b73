//! Projects as their users have them, and how long Cargo takes for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::bench::build::{target, twin};
use crate::bench::usage;
use crate::stacks::{self, Stack};
use crate::{files, generate, house, lock};

const NAME: &str = "shop";

#[derive(Debug)]
pub(super) struct Project {
    home: PathBuf,
    target: PathBuf,
    /// What is edited, below `home`.
    handler: &'static str,
}

#[derive(Debug)]
pub(super) struct Took {
    pub(super) cpu: Duration,
    pub(super) passed: Duration,
}

impl Project {
    /// Generates `stack`, or the twin without telemetry, with everything downloaded.
    pub(super) fn make(
        name: &str,
        stack: Option<&Stack>,
        line: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let costs = target().join("costs");
        let fresh = tempfile::tempdir()?;
        let (sources, handler) = match stack {
            Some(stack) => (
                generate::generate(stack, NAME, fresh.path())?,
                "src/web/users.rs",
            ),
            None => (bare(fresh.path())?, "src/users.rs"),
        };
        let project = Self {
            home: costs.join(name),
            target: costs.join(format!("{name}-target")),
            handler,
        };
        files::mirror(&sources, &project.home)?;
        project.clean()?;
        house::run(project.cargo().arg("fetch"), line)?;
        Ok(project)
    }

    /// As its user would call it, without the settings of this house.
    fn cargo(&self) -> std::process::Command {
        let mut cargo = house::cargo(&self.home);
        cargo
            .env("CARGO_TARGET_DIR", &self.target)
            .env_remove("CARGO_INCREMENTAL")
            .env_remove("CARGO_PROFILE_DEV_DEBUG")
            // To compare sizes, whatever the profile says.
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        cargo
    }

    pub(super) fn build(&self, options: &[&str], line: &mut dyn FnMut(&str)) -> Result<Took> {
        let (begun, before) = (Instant::now(), usage::children()?);
        house::run(self.cargo().arg("build").args(options), line)?;
        Ok(Took {
            cpu: usage::children()?.saturating_sub(before),
            passed: begun.elapsed(),
        })
    }

    /// Another edit for each number.
    pub(super) fn edit(&self, number: usize) -> Result<()> {
        let path = self.home.join(self.handler);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let text = format!("{text}\npub fn edit_{number}() -> usize {{\n    {number}\n}}\n");
        fs::write(path, text).map_err(Into::into)
    }

    /// How many crates a build compiles.
    pub(super) fn crates(&self, line: &mut dyn FnMut(&str)) -> Result<usize> {
        let mut cargo = self.cargo();
        cargo.args(["tree", "--edges", "normal,build", "--prefix", "none"]);
        Ok(distinct(&house::run(&mut cargo, line)?))
    }

    pub(super) fn binary(&self) -> PathBuf {
        self.target.join("release").join(NAME)
    }

    /// Throws away what was built.
    pub(super) fn clean(&self) -> Result<()> {
        if self.target.exists() {
            fs::remove_dir_all(&self.target)?;
        }
        Ok(())
    }
}

/// The twin as a project of its own. Its profiles are the service's: what they bring is no matter of telemetry.
fn bare(folder: &Path) -> Result<PathBuf> {
    let service = generate::generate(&stacks::default()?, NAME, folder)?;
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(service.join("Cargo.toml"))?)?;
    let bare = folder.join("bare");
    twin(&bare)?;
    let path = bare.join("Cargo.toml");
    let mut own: toml::Table = toml::from_str(&fs::read_to_string(&path)?)?;
    own.insert("workspace".to_owned(), toml::Table::new().into());
    if let Some(profile) = manifest.get("profile") {
        own.insert("profile".to_owned(), profile.clone());
    }
    // Its library is still called as its program calls it.
    let mut library = toml::Table::new();
    library.insert("name".to_owned(), "bare".into());
    own.insert("lib".to_owned(), library.into());
    if let Some(toml::Value::Table(package)) = own.get_mut("package") {
        package.insert("name".to_owned(), NAME.into());
    }
    fs::write(path, own.to_string())?;
    fs::copy(lock::path(), bare.join("Cargo.lock"))?;
    Ok(bare)
}

/// Lines like `tokio v1.0.0`, `telemetry v0.1.0 (/folder)`, `syn v2.0.0 (*)`.
fn distinct(tree: &str) -> usize {
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?);
        version.starts_with('v').then_some((name, version))
    });
    crates.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_and_each_of_its_versions() {
        let tree = "shop v0.1.0 (/shop)\nsyn v2.0.1\nserde_derive v1.0.0 (proc-macro)\nsyn v2.0.1 (*)\n\nsyn v3.0.0\nwarning: unused\n";
        assert_eq!(distinct(tree), 4);
    }
}

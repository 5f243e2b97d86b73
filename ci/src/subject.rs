//! The service that is judged: a copy of a generated project with something planted in it, built.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::{faults, files, house};

/// [`build_with`] the scenario's faults.
///
/// # Errors
/// As for that.
pub fn build(
    project: &Path,
    target_dir: &Path,
    line: &mut dyn FnMut(&str),
) -> anyhow::Result<PathBuf> {
    build_with(project, target_dir, faults::plant, line)
}

/// As [`build`], for a service that will be built many times with little changed: takes more space, and less time.
///
/// # Errors
/// As for [`build`].
pub fn build_incrementally(
    project: &Path,
    target_dir: &Path,
    line: &mut dyn FnMut(&str),
) -> anyhow::Result<PathBuf> {
    let incremental = &[("CARGO_INCREMENTAL", "1")];
    make(project, target_dir, faults::plant, incremental, line)
}

/// Copies `project`, lets `plant` change the copy, builds it into `target_dir` and returns the path of the binary. The copy
/// lies in `target_dir` too, at the same place each time, so that a second build has little to do. `line` sees what
/// Cargo says, as it comes.
///
/// # Errors
/// When the copy cannot be written or patched, or does not build; the error holds the compiler's.
pub fn build_with(
    project: &Path,
    target_dir: &Path,
    plant: impl FnOnce(&Path) -> anyhow::Result<()>,
    line: &mut dyn FnMut(&str),
) -> anyhow::Result<PathBuf> {
    make(project, target_dir, plant, &[], line)
}

fn make(
    project: &Path,
    target_dir: &Path,
    plant: impl FnOnce(&Path) -> anyhow::Result<()>,
    environment: &[(&str, &str)],
    line: &mut dyn FnMut(&str),
) -> anyhow::Result<PathBuf> {
    let name = package_name(project)?;
    // Patched before it is compared with the copy of last time: what has not changed is not built again.
    let patched = tempfile::tempdir()?;
    files::mirror(project, patched.path())
        .with_context(|| format!("copying {}", project.display()))?;
    plant(patched.path())?;
    let copy = target_dir.join("subjects").join(&name);
    files::mirror(patched.path(), &copy).with_context(|| format!("writing {}", copy.display()))?;

    let mut cargo = house::cargo(&copy);
    cargo
        .env("CARGO_TARGET_DIR", target_dir)
        .envs(environment.iter().copied())
        .args(["build", "--bin", &name]);
    house::run(&mut cargo, line)?;
    Ok(target_dir
        .join("debug")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// The project's name, which is also its binary's.
///
/// # Errors
/// When there is no readable manifest.
pub fn package_name(project: &Path) -> anyhow::Result<String> {
    let path = project.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let manifest: toml::Table = text
        .parse()
        .with_context(|| format!("parsing {}", path.display()))?;
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(toml::Value::as_str);
    Ok(name
        .with_context(|| format!("{} names no package", path.display()))?
        .to_owned())
}

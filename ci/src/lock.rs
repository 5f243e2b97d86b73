//! `template/Cargo.lock`: one lock file for all stacks. A generated service has fewer packages than it and another name;
//! Cargo then keeps every version that is still used, drops the rest and writes the lock file anew, so the first Cargo
//! command of a service must not be `--locked`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::generate::{generate, generate_member};
use crate::house;
use crate::origin::template;
use crate::stacks::{self, Stack};

/// The lock file that ships.
pub fn path() -> PathBuf {
    template().join("Cargo.lock")
}

/// Locks the dependencies of all stacks together. A version that the present lock file names stays; with `update` each
/// becomes the latest that the services' `rust-version` allows.
///
/// # Errors
/// A generation or Cargo fails.
pub fn superset(update: bool) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let workspace = folder.path();
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n",
    )?;
    // A dependency hangs on one choice, or on two that meet: pairs are enough.
    for stack in stacks::pairwise()? {
        generate_member(&stack, &stack.package(), workspace)?;
    }
    let lock = workspace.join("Cargo.lock");
    let present = path().exists() && !update;
    if present {
        fs::copy(path(), &lock)?;
    }
    let arguments: &[&str] = if present {
        &["update", "--workspace"]
    } else {
        &["generate-lockfile"]
    };
    house::run(house::cargo(workspace).args(arguments), &mut |_| ())?;
    Ok(without_members(&fs::read_to_string(lock)?))
}

/// The lock file without the packages that come from no registry: the services themselves.
fn without_members(lock: &str) -> String {
    let (head, packages) = lock.split_once("[[package]]\n").unwrap_or((lock, ""));
    let mut text = head.trim_end().to_owned() + "\n";
    for package in packages
        .split("[[package]]\n")
        .filter(|package| package.contains("\nsource = "))
    {
        text.push_str("\n[[package]]\n");
        text.push_str(package.trim_end());
        text.push('\n');
    }
    text
}

/// Proves that a fresh service of `stack` builds the versions that ship.
///
/// # Errors
/// Cargo adds or changes a version; the error names it.
pub fn prove(stack: &Stack) -> Result<()> {
    let shipped = pins(&fs::read_to_string(path()).with_context(|| path().display().to_string())?);
    let folder = tempfile::tempdir()?;
    let project = generate(stack, "shop", folder.path())?;
    resolve(&project)?;
    let own = pins(&fs::read_to_string(project.join("Cargo.lock"))?);
    let foreign: Vec<_> = own.difference(&shipped).map(String::as_str).collect();
    ensure!(
        foreign.is_empty(),
        "a new {stack} would build versions that template/Cargo.lock does not pin: {}; run `cargo run -- lock`",
        foreign.join(", ")
    );
    Ok(())
}

/// Writes the lock file of `project` as its first build would.
///
/// # Errors
/// Cargo cannot resolve the dependencies.
pub fn resolve(project: &Path) -> Result<()> {
    let mut cargo = house::cargo(project);
    house::run(
        cargo.args(["metadata", "--format-version", "1", "--quiet"]),
        &mut |_| (),
    )
    .map(drop)
}

/// The versions of `package` that the lock file in `folder` names.
///
/// # Errors
/// The lock file cannot be read.
pub fn versions(folder: &Path, package: &str) -> Result<Vec<String>> {
    let lock: toml::Table = toml::from_str(&fs::read_to_string(folder.join("Cargo.lock"))?)?;
    let packages = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    let field = |entry: &toml::Value, key: &str| {
        entry
            .get(key)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    Ok(packages
        .filter(|e| field(e, "name").as_deref() == Some(package))
        .filter_map(|e| field(e, "version"))
        .collect())
}

/// `name version` of every package from a registry.
fn pins(lock: &str) -> BTreeSet<String> {
    let value = |line: &str, key: &str| {
        line.strip_prefix(key)
            .map(|value| value.trim_matches('"').to_owned())
    };
    let packages = lock
        .split("[[package]]\n")
        .filter(|package| package.contains("\nsource = "));
    packages
        .filter_map(|package| {
            let name = package.lines().find_map(|line| value(line, "name = "))?;
            let version = package.lines().find_map(|line| value(line, "version = "))?;
            Some(format!("{name} {version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "# generated\nversion = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\n\n\
        [[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n]\n\n\
        [[package]]\nname = \"b\"\nversion = \"2.0.0\"\nsource = \"registry\"\n";

    #[test]
    fn members_leave_and_pins_stay() {
        let text = without_members(LOCK);
        assert!(
            text.starts_with("# generated\nversion = 4\n\n[[package]]\n") && !text.contains("shop"),
            "{text}"
        );
        assert!(text.ends_with("source = \"registry\"\n"), "{text}");
        assert_eq!(pins(LOCK), pins(&text));
        assert_eq!(
            pins(&text).into_iter().collect::<Vec<_>>(),
            ["a 1.0.0", "b 2.0.0"]
        );
    }
}

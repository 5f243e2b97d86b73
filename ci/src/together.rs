//! Many stacks at once, the cheap way: all of them members of one workspace, so that each dependency is compiled once.
//! It proves that every combination of answers compiles, and nothing more: features are those of all stacks together.

use std::fs;

use anyhow::Result;

use crate::stacks::Stack;
use crate::{generate, house};

/// Generates `stacks` into one workspace and runs `cargo check` on it; `line` sees each line of Cargo's.
///
/// # Errors
/// A stack cannot be generated or does not compile; the error says which and why.
pub fn compile(stacks: &[Stack], line: &mut dyn FnMut(&str)) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = folder.path();
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n",
    )?;
    for stack in stacks {
        line(&format!("generating {stack}"));
        generate::generate_member(stack, &stack.package(), workspace)?;
    }
    // The versions that ship, not those of today.
    fs::copy(crate::lock::path(), workspace.join("Cargo.lock"))?;
    let mut cargo = house::cargo(workspace);
    cargo.args(["check", "--workspace", "--keep-going", "--quiet"]);
    house::run(&mut cargo, line).map(drop)
}

//! Programs of others that Python's registry holds: each set is installed below `target/` once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{house, root};

/// Installs `requirements`, and nothing that would have to be compiled, unless that was done before. Returns the folder of
/// the environment that holds them; `what` begins the sentence that says what is missing.
///
/// # Errors
/// There is no Python, or no wheel for it.
pub fn install(name: &str, requirements: &[&str], what: &str) -> Result<PathBuf> {
    let home = root()
        .join("target")
        .join(name)
        .join(requirements.join(","));
    let done = home.join("installed");
    if done.exists() {
        return Ok(home);
    }
    let needs = || format!("{what} needs Python 3.10 to 3.13 with `venv` (Debian: python3-venv)");
    let mut venv = Command::new("python3");
    house::run(venv.args(["-m", "venv"]).arg(&home), &mut |_| ()).with_context(needs)?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
    house::run(pip.args(requirements), &mut |_| ()).with_context(needs)?;
    fs::write(done, "")?;
    Ok(home)
}

/// The program `name` of the environment in `home`.
pub fn program(home: &Path, name: &str) -> Command {
    let mut command = Command::new(home.join("bin").join(name));
    command.stdin(std::process::Stdio::null());
    command
}

//! Python's variants: FastAPI, SQLAlchemy and httpx in an environment of their own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::build;
use crate::{house, root};

/// With everything they depend on.
const REQUIREMENTS: &str = include_str!("../../bench/python/requirements.txt");

/// Makes the environment, unless it is there, and returns its interpreter.
///
/// # Errors
/// There is no Python, or PyPI cannot be reached; the error says what to install.
pub(super) fn install() -> Result<PathBuf> {
    let home = build::target().join("python");
    let (interpreter, installed) = (home.join("bin/python"), home.join("installed.txt"));
    if fs::read_to_string(&installed).is_ok_and(|present| present == REQUIREMENTS) {
        return Ok(interpreter);
    }
    let needs =
        "Python's variants need PyPI, and Python 3.10 or newer with `venv` (Debian: python3-venv)";
    let mut venv = Command::new("python3");
    house::run(venv.args(["-m", "venv"]).arg(&home), &mut |_| ()).context(needs)?;
    let mut pip = Command::new(&interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
    let list = root().join("ci/bench/python/requirements.txt");
    house::run(pip.arg("--requirement").arg(list), &mut |_| ()).context(needs)?;
    fs::write(installed, REQUIREMENTS)?;
    Ok(interpreter)
}

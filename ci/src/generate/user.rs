//! cargo-generate fails where no variable names the user, as in many containers. The template does not use that name.
//! `.cargo/config.toml` sets one for tests; a program that was started from another folder has to help itself.

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

const NAMES: [&str; 6] = [
    "CARGO_NAME",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_NAME",
    "USER",
    "USERNAME",
    "NAME",
];

pub fn knows_its_user() -> bool {
    NAMES.iter().any(|name| env::var_os(name).is_some())
}

/// Runs this program again, with a name: the environment of a running program cannot be changed safely.
///
/// # Errors
/// The program cannot be started.
pub fn again_with_a_user() -> Result<ExitCode> {
    let mut again = Command::new(env::current_exe()?);
    let status = again
        .args(env::args_os().skip(1))
        .env(NAMES[0], "maintainer")
        .status()
        .context("cannot run again")?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

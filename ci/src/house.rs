//! Where generated services are built: one folder a stack and one target directory for all, so that a dependency is
//! compiled once, and a second run compiles only what changed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::stacks::Stack;
use crate::{files, generate, root};

/// The target directory that all generated services share.
pub fn target() -> PathBuf {
    root().join("target/stacks")
}

/// Generates `stack` into its folder of the house. Its package is called like the stack, so that the binaries of two
/// stacks do not collide.
///
/// # Errors
/// As for [`generate::generate`].
pub fn place(stack: &Stack) -> Result<PathBuf> {
    // Not generated there at once: below this checkout it would become a member of a workspace.
    let folder = tempfile::tempdir()?;
    let fresh = generate::generate(stack, &stack.package(), folder.path())?;
    let home = home(stack);
    files::mirror(&fresh, &home)?;
    Ok(home)
}

/// The folder of `stack`, which [`place`] fills.
pub fn home(stack: &Stack) -> PathBuf {
    root().join("target/services").join(stack.package())
}

/// Variables that would change what a generated service or its tests do.
const SETTINGS: &[&str] = &[
    "BODY_LIMIT",
    "CACHE_PREFIX",
    "CACHE_TIMEOUT",
    "CACHE_TTL",
    "DATABASE_MAX_CONNECTIONS",
    "DATABASE_START_TIMEOUT",
    "DATABASE_STATEMENT_TIMEOUT",
    "DATABASE_TIMEOUT",
    "DATABASE_URL",
    "DEPLOYMENT_ENVIRONMENT",
    "GRPC_HOST",
    "GRPC_MESSAGE_LIMIT",
    "GRPC_PEER_TIMEOUT",
    "GRPC_PEER_URL",
    "GRPC_PORT",
    "HOST",
    "IDLE_TIMEOUT",
    "MAX_CONCURRENT_REQUESTS",
    "PORT",
    "REDIS_URL",
    "REQUEST_TIMEOUT",
    "RUST_LOG",
    "SESSION_ID",
    "SHUTDOWN_TIMEOUT",
    "UPSTREAM_ATTEMPTS",
    "UPSTREAM_TIMEOUT",
    "UPSTREAM_URL",
];

/// Cargo in `project`, with the shared target directory and without the caller's settings for a service.
pub fn cargo(project: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_INCREMENTAL", "0")
        // Hundreds of crates in many shapes: nobody debugs them here.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TERM_COLOR", "never")
        // A build that asks for protoc fails here, as it would for a user who has none.
        .env("PROTOC", "no-protoc-on-this-machine")
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if SETTINGS.contains(&&*text) || text.starts_with("OTEL_") || text.starts_with("TELEMETRY_")
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `command` to its end and returns what it printed; `line` sees each line as it comes.
///
/// # Errors
/// It cannot be started, or it failed: then with what it printed.
pub fn run(command: &mut Command, line: &mut dyn FnMut(&str)) -> Result<String> {
    let name = format!(
        "{} {}",
        command.get_program().to_string_lossy(),
        arguments(command)
    );
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| name.clone())?;
    // The command holds the write ends; the reader would wait for them forever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut output = String::new();
    for text in BufReader::new(reader).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        line(&text);
        output.push_str(&text);
        output.push('\n');
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "{name} in {} failed ({status}):\n{output}",
            command
                .get_current_dir()
                .unwrap_or(Path::new("."))
                .display()
        );
    }
    Ok(output)
}

fn arguments(command: &Command) -> String {
    command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

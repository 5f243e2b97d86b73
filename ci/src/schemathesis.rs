//! Drives a service from its own OpenAPI document: what the document allows must be accepted, what it does not must be
//! refused, and every answer must be one that it names. By Schemathesis, <https://schemathesis.readthedocs.io>, from PyPI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::peer::Peer;
use crate::receiver::Receiver;
use crate::scenario::{Part, Parts};
use crate::servers::{self, Fresh};
use crate::service::Service;
use crate::stacks::Stack;
use crate::upstream::Upstream;
use crate::{house, root};

/// With everything it depends on: another version may ask other questions.
const REQUIREMENTS: &str = include_str!("../schemathesis.txt");
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Requests for each operation and phase, at most.
    pub examples: u32,
    /// The same seed, the same requests.
    pub seed: u32,
}

/// Installs Schemathesis below `target/`, unless it is there, and returns its program.
///
/// # Errors
/// There is no Python, or PyPI cannot be reached; the error says what to install.
pub fn install() -> Result<PathBuf> {
    let home = root().join("target/schemathesis");
    let (program, installed) = (home.join("bin/schemathesis"), home.join("installed.txt"));
    if fs::read_to_string(&installed).is_ok_and(|present| present == REQUIREMENTS) {
        return Ok(program);
    }
    let needs =
        "Schemathesis needs PyPI, and Python 3.10 or newer with `venv` (Debian: python3-venv)";
    let mut venv = Command::new("python3");
    house::run(venv.args(["-m", "venv"]).arg(&home), &mut |_| ()).context(needs)?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--requirement"]);
    let list = root().join("ci/schemathesis.txt");
    house::run(pip.arg(list), &mut |_| ()).context(needs)?;
    fs::write(installed, REQUIREMENTS)?;
    Ok(program)
}

/// Starts `binary`, a service of `stack`, lets `program` drive it and stops it. Returns what `program` said; `line` sees it
/// as it comes.
///
/// # Errors
/// The service cannot be started or stopped, or `program` found something: then with what.
pub fn drive(
    program: &Path,
    binary: &Path,
    stack: &Stack,
    effort: Effort,
    line: &mut dyn FnMut(&str),
) -> Result<String> {
    let runtime = tokio::runtime::Runtime::new()?;
    let stores = servers::database(stack)?;
    let receiver = runtime.block_on(Receiver::start())?;
    let upstream = runtime.block_on(Upstream::start())?;
    let mut peer = runtime.block_on(Peer::start())?;
    let mut environment = environment(&receiver, &upstream, &peer);
    environment.extend(stores.as_ref().map(Fresh::environment).unwrap_or_default());
    let service = runtime.block_on(Service::start(binary, &environment))?;
    if Parts::of(stack).has(Part::Grpc) {
        let grpc = runtime.block_on(service.address_of("gRPC listening"))?;
        let _entered = runtime.enter();
        peer.forward_to(grpc);
    }

    // Where it keeps examples of earlier runs: none here.
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .arg("run")
        .arg(format!("http://{}/openapi.json", service.address()))
        .args(["--checks", "all", "--continue-on-failure"])
        .args(["--max-examples", &effort.examples.to_string()])
        .args(["--seed", &effort.seed.to_string()]);
    let found = house::run(&mut command, line);

    service.terminate()?;
    let ended = runtime.block_on(service.ended(STOP_DEADLINE))?;
    found.with_context(|| {
        let said = ended.lines.iter().filter(|line| line.contains("ERROR"));
        let said: Vec<_> = said.take(5).map(String::as_str).collect();
        format!("the service logged\n{}", said.join("\n"))
    })
}

fn environment(receiver: &Receiver, upstream: &Upstream, peer: &Peer) -> BTreeMap<String, String> {
    [
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", "0".to_owned()),
        // A busy machine must not look like a Redis that is away.
        ("CACHE_TIMEOUT", "10s".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.grpc_endpoint()),
        ("UPSTREAM_URL", format!("http://{}", upstream.address())),
        ("GRPC_PORT", "0".to_owned()),
        ("GRPC_PEER_URL", format!("http://{}", peer.address())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

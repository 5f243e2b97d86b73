//! `cargo run -- image`: builds a service's image by its Dockerfile, and runs it as strangers do.

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::client::{self, Request};
use crate::generate::generate;
use crate::progress::Progress;
use crate::scenario::{Part, Parts};
use crate::stacks::{self, Stack};
use crate::{house, servers};

/// The wait for anything that takes moments when all is well.
const DEADLINE: Duration = Duration::from_secs(30);
/// Of the image and of its container.
const NAME: &str = "ci-image";

/// Build the image of a service that needs no server, and run it: not as root, without capabilities, on a file system that
/// is read-only. It must become ready, answer, hold no shell and stop at once. Needs a Docker engine, or Podman as `docker`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The stack by name [default: the default stack].
    stack: Option<Stack>,
}

/// # Errors
/// The image cannot be built, or what runs in it is not as it must be; the error says what.
pub fn run(args: Args) -> Result<ExitCode> {
    let stack = args.stack.map_or_else(stacks::default, Ok)?;
    let needs_server = servers::database(&stack)?.is_some();
    ensure!(
        !needs_server,
        "{stack} needs a server, which it would not find"
    );
    let progress = Progress::new();
    let folder = tempfile::tempdir()?;
    let project = generate(&stack, "shop", folder.path())?;
    progress.step(format!("building the image of {stack}"));
    let mut build = Command::new("docker");
    build.args(["build", "--tag", NAME]).arg(&project);
    let mut line = |line: &str| progress.detail(line);
    house::run(&mut build, &mut line).context("a Docker engine is needed")?;
    progress.step("running it");
    let container = Container::start()?;
    let tried = tokio::runtime::Runtime::new()?.block_on(try_out(&stack, &container));
    let took = tried.with_context(|| docker(&["logs", NAME]).unwrap_or_default())?;
    let size = docker(&["image", "inspect", "--format", "{{.Size}}", NAME])?;
    drop(progress);
    let megabytes = size.trim().parse::<f64>()? / 1e6;
    println!("{stack}: {megabytes:.0} MB, ready after {took:.1?}");
    Ok(ExitCode::SUCCESS)
}

/// How long it took to be ready.
async fn try_out(stack: &Stack, container: &Container) -> Result<Duration> {
    let address = container.address()?;
    let ready = get("/readyz");
    while !client::send(address, &ready)
        .await
        .is_ok_and(|answer| answer.status == 200)
    {
        ensure!(
            container.begun.elapsed() < DEADLINE,
            "it does not get ready"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = container.begun.elapsed();
    let answer = client::send(address, &get("/products?q=lamp")).await?;
    ensure!(
        answer.status == 200,
        "a search is answered with {}",
        answer.status
    );
    if Parts::of(stack).has(Part::Sql) {
        let answer = client::send(address, &get("/users/1")).await?;
        ensure!(
            answer.status == 200,
            "a user is answered with {}",
            answer.status
        );
    }
    let user = docker(&["image", "inspect", "--format", "{{.Config.User}}", NAME])?;
    ensure!(user.trim() == "65532:65532", "it runs as {user}");
    ensure!(
        docker(&["exec", NAME, "/bin/sh", "-c", "true"]).is_err(),
        "it has a shell"
    );
    let begun = Instant::now();
    docker(&["stop", "-t", "20", NAME])?;
    ensure!(begun.elapsed() < DEADLINE / 2, "SIGTERM does not stop it");
    let code = docker(&["inspect", "--format", "{{.State.ExitCode}}", NAME])?;
    ensure!(code.trim() == "0", "it ended with {code}");
    Ok(took)
}

/// It is removed when this is dropped.
struct Container {
    begun: Instant,
}

impl Container {
    fn start() -> Result<Self> {
        // Of a run that was killed.
        let _ = docker(&["rm", "--force", NAME]);
        let container = Self {
            begun: Instant::now(),
        };
        let run = "run --detach --publish 127.0.0.1::8080 --read-only --cap-drop ALL --security-opt no-new-privileges \
                   --env DEPLOYMENT_ENVIRONMENT=development --name";
        let arguments: Vec<&str> = run.split_whitespace().chain([NAME, NAME]).collect();
        docker(&arguments)?;
        Ok(container)
    }

    fn address(&self) -> Result<SocketAddr> {
        let said = docker(&["port", NAME, "8080/tcp"])?;
        let first = said.lines().next().unwrap_or_default();
        first.trim().parse().with_context(|| said.clone())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", NAME]);
    }
}

fn get(target: &'static str) -> Request {
    Request {
        method: "GET",
        target,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn docker(arguments: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(arguments).output();
    let output = output.context("docker is needed")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("docker {}: {said}", arguments.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

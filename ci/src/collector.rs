//! A collector that is not ours, between the service and our receiver: what comes through was understood by somebody
//! else's reading of OTLP. It is Rotel, <https://github.com/streamfold/rotel>, whose wheel on PyPI holds its program.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::wheels;

const REQUIREMENT: &str = "rotel==0.0.1a15";
/// For its start, and for its last exports.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running collector. It is killed when it is dropped.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    grpc: SocketAddr,
    http: SocketAddr,
    /// Of its log.
    folder: TempDir,
}

/// Installs the collector below `target/`, unless it is there, and returns its program.
///
/// # Errors
/// There is no Python, or no wheel for it; the error says what to install.
pub fn install() -> Result<PathBuf> {
    program(&wheels::install(
        "collector",
        &[REQUIREMENT],
        "a collector to send through",
    )?)
}

fn program(home: &Path) -> Result<PathBuf> {
    let versions = fs::read_dir(home.join("lib"))?;
    let programs = versions
        .flatten()
        .map(|version| version.path().join("site-packages/rotel/rotel-agent"));
    programs
        .into_iter()
        .find(|program| program.exists())
        .with_context(|| format!("{REQUIREMENT} holds no program"))
}

impl Collector {
    /// Starts `program`, which passes on to `receiver` (OTLP over gRPC) what it is sent.
    ///
    /// # Errors
    /// When it does not listen in time; the error quotes its log.
    pub async fn start(program: &Path, receiver: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (grpc, http) = (free_address()?, free_address()?);
        let log = folder.path().join("log");
        let child = Command::new(program)
            .current_dir(folder.path())
            .args([
                "start",
                "--exporter",
                "otlp",
                "--otlp-exporter-endpoint",
                receiver,
            ])
            .args(["--otlp-grpc-endpoint", &grpc.to_string()])
            .args(["--otlp-http-endpoint", &http.to_string()])
            .args([
                "--batch-timeout",
                "50ms",
                "--pid-file",
                "pid",
                "--log-file",
                "log.daemon",
            ])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let collector = Self {
            child,
            grpc,
            http,
            folder,
        };
        for address in [grpc, http] {
            collector.listens(address).await?;
        }
        Ok(collector)
    }

    /// It tells nobody when, so this has to ask again and again.
    async fn listens(&self, address: SocketAddr) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            ensure!(
                begun.elapsed() < DEADLINE,
                "the collector does not listen:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// As of our receiver.
    pub fn grpc_endpoint(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// As of our receiver.
    pub fn http_endpoint(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Lets it pass on what it still holds, and ends it.
    ///
    /// # Errors
    /// When it does not end, or not well; the error quotes its log.
    pub async fn finish(mut self) -> Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.with_context(|| format!("the collector ended early:\n{}", self.log()))?;
        kill_process(pid, Signal::TERM)?;
        let ended = timeout(DEADLINE, self.child.wait()).await;
        let ended =
            ended.with_context(|| format!("the collector does not end:\n{}", self.log()))??;
        ensure!(
            ended.success(),
            "the collector ended with {ended}:\n{}",
            self.log()
        );
        Ok(())
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?)
}

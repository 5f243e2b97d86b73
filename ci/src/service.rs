//! Runs a service binary the way a supervisor would, and reads what it prints.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a service may take from its start to `listening`.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// The same within another program, which may make it a hundred times slower.
const WRAPPED_START_DEADLINE: Duration = Duration::from_secs(300);
/// Lines of output quoted in an error.
const TAIL: usize = 25;

/// A running service. It is killed when it is dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    address: SocketAddr,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    started_in: Duration,
    /// The service's working directory: empty at the start, so that no `.env` or database of another run is found.
    _directory: TempDir,
}

/// How a service ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// From the signal to the end of the process.
    pub took: Duration,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed on stdout, line by line, over its whole life.
    pub lines: Vec<String>,
    /// What it printed on stderr.
    pub errors: Vec<String>,
}

#[derive(Debug, Default)]
struct Output {
    stdout: Mutex<Vec<String>>,
    stderr: Mutex<Vec<String>>,
    address: watch::Sender<Option<SocketAddr>>,
    /// Bumped at each line, so that waiting needs no polling.
    printed: watch::Sender<()>,
}

impl Service {
    /// Starts `binary` in an empty directory, with `PATH` and `env` as its whole environment, and waits until it
    /// reports its address.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or reports no address in time; the error quotes its last lines.
    pub async fn start(binary: &Path, env: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        Self::start_with(binary, &[], env).await
    }

    /// [`Self::start`], with arguments.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_with(
        binary: &Path,
        arguments: &[String],
        env: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command.args(arguments);
        Self::launch(command, env, START_DEADLINE)
            .await
            .with_context(|| format!("starting {}", binary.display()))
    }

    /// As [`Self::start`], by another program: `wrap` is that and its arguments, to which `binary` is one more.
    ///
    /// # Errors
    /// As there.
    pub async fn start_within(
        wrap: &[String],
        binary: &Path,
        env: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let Some((program, arguments)) = wrap.split_first() else {
            return Self::start(binary, env).await;
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(binary);
        Self::launch(command, env, WRAPPED_START_DEADLINE)
            .await
            .with_context(|| format!("starting {} by {program}", binary.display()))
    }

    async fn launch(
        mut command: Command,
        env: &BTreeMap<String, String>,
        deadline: Duration,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("making a working directory")?;
        let begun = Instant::now();
        let mut child = command
            .current_dir(directory.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH".to_owned(), path)))
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;

        let output = Arc::new(Output::default());
        let stdout = child.stdout.take().context("the service's stdout")?;
        let stderr = child.stderr.take().context("the service's stderr")?;
        let mut readers = vec![
            tokio::spawn(Output::read(output.clone(), stdout, Output::stdout_line)),
            tokio::spawn(Output::read(output.clone(), stderr, Output::stderr_line)),
        ];

        let mut address = output.address.subscribe();
        let listening = async {
            tokio::select! {
                address = address.wait_for(Option::is_some) => {
                    address.ok().and_then(|address| *address).context("its output closed")
                }
                ended = child.wait() => {
                    // What it said last is still in the pipes, which close with the process.
                    for reader in &mut readers {
                        let _ = reader.await;
                    }
                    Err(anyhow!("it ended with {}", ended?))
                }
            }
        };
        let address = timeout(deadline, listening)
            .await
            .unwrap_or_else(|_| Err(anyhow!("no `listening` line in {deadline:?}")))
            .with_context(|| {
                format!(
                    "the service did not start; its output ends with\n{}",
                    output.tail()
                )
            })?;
        let started_in = begun.elapsed();
        Ok(Self {
            child,
            address,
            output,
            readers,
            started_in,
            _directory: directory,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address in the log line with this message, such as a companion's.
    ///
    /// # Errors
    /// When there is no such line in time.
    pub async fn address_of(&self, message: &str) -> anyhow::Result<SocketAddr> {
        let find = |lines: &[String]| lines.iter().find_map(|line| address_in(line, message));
        let what = format!("the line `{message}`");
        self.wait_for(&what, START_DEADLINE, |lines| find(lines).is_some())
            .await?;
        find(&lock(&self.output.stdout)).context(what)
    }

    /// The last word of the line of its log whose message holds `text`, if there is one.
    pub fn last_word_with(&self, text: &str) -> Option<String> {
        let lines = lock(&self.output.stdout);
        let mut logs = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        logs.find_map(|log| {
            let message = log["message"].as_str()?;
            let words = message
                .contains(text)
                .then(|| message.split(' ').next_back());
            words.flatten().map(str::to_owned)
        })
    }

    /// Its process.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn id(&self) -> anyhow::Result<u32> {
        let gone = || {
            format!(
                "the service had ended already; its output ends with\n{}",
                self.tail()
            )
        };
        self.child.id().with_context(gone)
    }

    /// The lines on its stdout so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.output.stdout).clone()
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// When the process is gone already.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.send(Signal::KILL).context("sending SIGKILL")
    }

    fn send(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.id()?)?;
        let process = Pid::from_raw(id).context("a process without a number")?;
        Ok(kill_process(process, signal)?)
    }

    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Waits until `condition` holds of the lines on its stdout.
    ///
    /// # Errors
    /// When it does not within `deadline`; `what` says for what was waited.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&[String]) -> bool,
    ) -> anyhow::Result<()> {
        let mut printed = self.output.printed.subscribe();
        let holds = async {
            while !condition(&lock(&self.output.stdout)) && printed.changed().await.is_ok() {}
        };
        if timeout(deadline, holds).await.is_err() {
            bail!(
                "waited {deadline:?} for {what}; the output ends with\n{}",
                self.tail()
            );
        }
        Ok(())
    }

    /// The last lines of its output, for an error report.
    pub fn tail(&self) -> String {
        self.output.tail()
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// When the process is gone already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.send(Signal::TERM).context("sending SIGTERM")
    }

    /// Waits for the end of a service that was told to stop.
    ///
    /// # Errors
    /// When it is still running after `deadline`; it is killed then.
    pub async fn ended(mut self, deadline: Duration) -> anyhow::Result<Ended> {
        let begun = Instant::now();
        let Ok(status) = timeout(deadline, self.child.wait()).await else {
            bail!(
                "the service still runs {deadline:?} after SIGTERM; its output ends with\n{}",
                self.tail()
            );
        };
        let took = begun.elapsed();
        for reader in &mut self.readers {
            // The pipes close with the process; a reader that panicked has nothing to add.
            let _ = reader.await;
        }
        Ok(Ended {
            took,
            code: status?.code(),
            lines: lock(&self.output.stdout).clone(),
            errors: lock(&self.output.stderr).clone(),
        })
    }
}

impl Output {
    async fn read(self: Arc<Self>, pipe: impl AsyncRead + Unpin, keep: fn(&Self, String)) {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            keep(&self, line);
        }
    }

    fn stdout_line(&self, line: String) {
        if let Some(address) = address_in(&line, "listening") {
            self.address.send_replace(Some(address));
        }
        lock(&self.stdout).push(line);
        self.printed.send_replace(());
    }

    fn stderr_line(&self, line: String) {
        lock(&self.stderr).push(line);
    }

    fn tail(&self) -> String {
        let tail = |lines: &Mutex<Vec<String>>| {
            let lines = lock(lines);
            lines[lines.len().saturating_sub(TAIL)..].join("\n")
        };
        format!("{}\n{}", tail(&self.stdout), tail(&self.stderr))
    }
}

/// Of a line for programs, or for people: `12:03:41.123  INFO listening address=127.0.0.1:8080`.
fn address_in(line: &str, message: &str) -> Option<SocketAddr> {
    if let Some((before, address)) = line.split_once(&format!(" {message} address=")) {
        return before.ends_with("INFO").then(|| address.parse().ok())?;
    }
    let log: serde_json::Value = serde_json::from_str(line).ok()?;
    (log["message"] == message).then(|| log["address"].as_str()?.parse().ok())?
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell script in place of a service.
    async fn run(script: &str, env: &[(&str, &str)]) -> anyhow::Result<Service> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Service::launch(command, &env.collect(), START_DEADLINE).await
    }

    const LISTENING: &str = r#"echo '{"message":"listening","address":"127.0.0.1:4321"}'"#;

    #[test]
    fn the_address_is_found_in_a_line_for_people_too() {
        let line = "20:51:28.123  INFO gRPC listening address=127.0.0.1:5000";
        let address = "127.0.0.1:5000".parse().ok();
        assert_eq!(address_in(line, "gRPC listening"), address);
        assert_eq!(address_in(line, "listening"), None);
    }

    #[tokio::test]
    async fn learns_the_address_and_ends_by_sigterm() {
        let script = format!(
            "trap 'echo bye; exit 0' TERM\necho noise\n{LISTENING}\nwhile :; do sleep 0.02; done"
        );
        let service = run(&script, &[]).await.unwrap();
        assert_eq!(service.address().port(), 4321);
        service.terminate().unwrap();
        let ended = service.ended(Duration::from_secs(10)).await.unwrap();
        assert_eq!(ended.code, Some(0));
        assert_eq!(ended.lines.last().map(String::as_str), Some("bye"));
    }

    #[tokio::test]
    async fn an_early_end_quotes_the_output() {
        let error = run("echo 'no database' >&2; exit 3", &[])
            .await
            .unwrap_err();
        assert!(format!("{error:#}").contains("exit status: 3"), "{error:#}");
    }

    #[tokio::test]
    async fn sees_only_the_environment_it_is_given() {
        let script = format!("env\n{LISTENING}\nsleep 0.05");
        let service = run(&script, &[("PORT", "0")]).await.unwrap();
        let ended = service.ended(Duration::from_secs(10)).await.unwrap();
        let names: Vec<_> = ended
            .lines
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name)
            .collect();
        assert!(names.contains(&"PORT"), "{names:?}");
        assert!(!names.contains(&"HOME"), "{names:?}");
    }
}

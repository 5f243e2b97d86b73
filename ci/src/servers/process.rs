//! A server process that ends with this one, however this one ends.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::source::User;

pub(super) use std::process::Command;

/// Lines of the server's log that an error quotes.
const TAIL: usize = 25;

/// Waits for the end of its standard input, which nothing but this process holds open: not even SIGKILL of this process
/// can keep it from ending the server and removing its folder. `$1` is a signal, `$2` a folder or nothing, the rest the
/// server's command.
const KEEPER: &str = r#"
signal=$1 folder=$2
shift 2
"$@" &
server=$!
exec >/dev/null 2>&1
while read -r _; do :; done
# What only prepares for the server goes too: all are of the keeper's process group.
trap '' TERM
kill -s TERM 0
kill -s "$signal" "$server"
wait "$server"
if [ -n "$folder" ]; then rm -rf "$folder"; fi
"#;

/// A running server. It is stopped and its folder removed when this is dropped, or when this process ends.
#[derive(Debug)]
pub(super) struct Process {
    keeper: Child,
    /// Closing it is the order to stop.
    leash: Option<ChildStdin>,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<VecDeque<String>>,
    /// Nobody can write to it any more: the server is gone.
    closed: AtomicBool,
}

impl Process {
    /// # Errors
    /// When there is no shell to start it.
    pub(super) fn start(
        command: Command,
        user: Option<&User>,
        signal: &str,
        folder: Option<TempDir>,
    ) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", KEEPER, "keeper", signal]);
        keeper.arg(folder.as_ref().map_or("".as_ref(), |folder| folder.path()));
        keeper.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            keeper.env(name, value.unwrap_or_default());
        }
        if let Some(user) = user {
            keeper.uid(user.uid).gid(user.gid);
        }
        if let Some(folder) = &folder {
            keeper.current_dir(folder.path());
        }
        let mut keeper = keeper
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // Ctrl-C goes to the foreground's group; the keeper has work to do when it comes.
            .process_group(0)
            .spawn()
            .context("starting /bin/sh")?;
        // From here on the keeper removes it.
        if let Some(folder) = folder {
            let _ = folder.keep();
        }
        let log = Arc::<Log>::default();
        let leash = keeper.stdin.take();
        let keep = Arc::clone(&log);
        std::thread::spawn(move || keep.read(reader));
        Ok(Self { keeper, leash, log })
    }

    /// Whether the server is gone.
    pub(super) fn ended(&self) -> bool {
        self.log.closed.load(Ordering::Acquire)
    }

    /// The last lines it printed.
    pub(super) fn tail(&self) -> String {
        let lines = self
            .log
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

impl Log {
    fn read(&self, pipe: impl Read) {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == TAIL {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
        self.closed.store(true, Ordering::Release);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.take());
        // The keeper sees to the rest; nobody waits for it longer than a moment.
        for _ in 0..100 {
            if !matches!(self.keeper.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A port of the loopback interface that nobody listens on now.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

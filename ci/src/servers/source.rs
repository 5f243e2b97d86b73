//! Where a server comes from: a variable, installed programs, Docker, Debian's packages, in this order.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use super::process::{Command, Process, free_port};
use super::{Store, packages};

/// How long a server that somebody else runs may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server that is started here may take: seconds, but machines may be busy.
const START: Duration = Duration::from_secs(180);
/// The same with an image that must be pulled first.
const PULL: Duration = Duration::from_secs(300);
/// A port that was free may be taken when the server wants it.
const ATTEMPTS: usize = 3;

/// A kind of server, and how to deal with it.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Names a server that is there.
    pub(super) variable: &'static str,
    /// The usual one.
    pub(super) port: u16,
    /// Debian's packages.
    pub(super) packages: &'static [&'static str],
    /// The program, under the names it is known by.
    pub(super) programs: &'static [&'static str],
    /// Users to run it as if we are root: the first that exists. Empty if it may be root.
    pub(super) users: &'static [&'static str],
    /// The signal that ends it at once. Its data are thrown away, so it need not tidy up.
    pub(super) signal: &'static str,
    /// Arguments of the server, wherever it comes from.
    pub(super) settings: &'static [&'static str],
    /// Serves from the folder it begins in, with `$PROGRAM` on `$PORT`, with the settings as its arguments.
    pub(super) script: &'static str,
    /// Options of `docker run`, and the image.
    pub(super) container: &'static [&'static str],
    /// Its administrator's URL when it was started here.
    pub(super) url: fn(u16) -> String,
    /// Whether it lets us in.
    pub(super) ready: fn(&str) -> Result<()>,
    /// Makes an empty database of this name on the server at this URL.
    pub(super) create: fn(&str, &str) -> Result<Store>,
}

/// Somebody whom a server runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What there is to get a server from.
pub(super) struct Surroundings {
    /// The variable's value.
    pub(super) url: Option<String>,
    /// Folders of programs.
    pub(super) path: Vec<PathBuf>,
    /// Whether an engine answers.
    pub(super) docker: bool,
    /// Whether packages may be installed.
    pub(super) installs: bool,
    pub(super) root: bool,
    /// With the server that the variable names.
    pub(super) patience: Duration,
}

impl Surroundings {
    pub(super) fn of_this_process(kind: &Kind) -> Self {
        let root = rustix::process::geteuid().is_root();
        Self {
            url: std::env::var(kind.variable)
                .ok()
                .filter(|url| !url.is_empty()),
            path: packages::folders(),
            docker: packages::docker_answers(),
            installs: packages::may_install(),
            root,
            patience: PATIENCE,
        }
    }

    fn program(&self, kind: &Kind) -> Option<PathBuf> {
        let mut all = self
            .path
            .iter()
            .flat_map(|folder| kind.programs.iter().map(move |name| folder.join(name)));
        all.find(|path| path.is_file())
    }
}

/// A server that lets us in.
#[derive(Debug)]
pub(super) struct Server {
    /// Its administrator's.
    pub(super) url: String,
    /// None if somebody else runs it.
    _process: Option<Process>,
}

impl Server {
    /// # Errors
    /// When none can be had, with what to install or to set; or one was found and does not work.
    pub(super) fn find(kind: &Kind, around: &Surroundings) -> Result<Self> {
        if let Some(url) = &around.url {
            until(around.patience, || (kind.ready)(url)).with_context(|| {
                format!(
                    "{} names a {} that does not let us in",
                    kind.variable, kind.name
                )
            })?;
            return Ok(Self {
                url: url.clone(),
                _process: None,
            });
        }
        if let Some(program) = around.program(kind) {
            return Self::installed(kind, around, &program);
        }
        if around.docker {
            return Self::started(kind, PULL, |port| {
                let publish = format!("127.0.0.1:{port}:{}", kind.port);
                let mut command = Command::new("docker");
                command.args(["run", "--rm", "-p", &publish]);
                command.args(kind.container).args(kind.settings);
                Process::start(command, None, "TERM", None)
            });
        }
        if around.installs {
            packages::install(kind.packages)?;
            let now = Surroundings {
                path: packages::folders(),
                ..Surroundings::of_this_process(kind)
            };
            let program = now.program(kind).with_context(|| {
                format!(
                    "installing {} brought no {}",
                    kind.packages.join(" "),
                    kind.name
                )
            })?;
            return Self::installed(kind, around, &program);
        }
        bail!(
            "there is no {}: install it (on Debian: apt-get install {}), start Docker, or set {} to the URL of a server \
             where databases may be made, such as {}",
            kind.name,
            kind.packages.join(" "),
            kind.variable,
            (kind.url)(kind.port),
        )
    }

    fn installed(kind: &Kind, around: &Surroundings, program: &Path) -> Result<Self> {
        let user = if around.root && !kind.users.is_empty() {
            Some(packages::user(kind.users)?)
        } else {
            None
        };
        Self::started(kind, START, |port| {
            let folder = packages::folder(user.as_ref())?;
            let mut command = Command::new("/bin/sh");
            command
                .args(["-c", kind.script, kind.name])
                .args(kind.settings)
                .env("PROGRAM", program)
                .env("PORT", port.to_string());
            Process::start(command, user.as_ref(), kind.signal, Some(folder))
        })
        .with_context(|| format!("starting {}", program.display()))
    }

    fn started(
        kind: &Kind,
        deadline: Duration,
        start: impl Fn(u16) -> Result<Process>,
    ) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            let process = start(port)?;
            let url = (kind.url)(port);
            let ready = until(deadline, || match (kind.ready)(&url) {
                Err(error) if process.ended() => Err(error.context(Ended)),
                // Somebody else's server was quicker to take the port.
                Ok(()) if process.ended() => Err(anyhow!(Ended)),
                other => other,
            });
            match ready {
                Ok(()) => {
                    return Ok(Self {
                        url,
                        _process: Some(process),
                    });
                }
                Err(error) if error.is::<Ended>() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => {
                    let said = process.tail();
                    return Err(anyhow!("{} said\n{said}", kind.name).context(format!("{error:#}")));
                }
            }
        }
    }
}

/// The server ended before it was ready.
#[derive(Debug)]
struct Ended;

impl std::error::Error for Ended {}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it ended before it was ready")
    }
}

/// Tries again until it succeeds, the server is gone or `deadline` is over.
pub(super) fn until(deadline: Duration, mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<Ended>() => return Err(error),
            Err(error) if begun.elapsed() >= deadline => {
                return Err(error.context(format!("not ready within {deadline:?}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

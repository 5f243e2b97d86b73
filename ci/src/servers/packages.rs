//! What the machine has: programs, users, Docker, packages.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::source::User;

/// Where programs are: `PATH`, and what Debian keeps out of it. The newest PostgreSQL comes first.
pub(super) fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut postgres: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    postgres.sort();
    std::env::split_paths(&path)
        .chain(postgres.into_iter().rev().map(|(_, folder)| folder))
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .collect()
}

/// Whether a Docker engine answers.
pub(super) fn docker_answers() -> bool {
    Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first of `names` that this machine knows.
///
/// # Errors
/// When it knows none.
pub(super) fn user(names: &[&str]) -> Result<User> {
    let all = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    let find = |name: &&str| {
        let line = all
            .lines()
            .find(|line| line.split(':').next() == Some(*name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        let (uid, gid) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(User { uid, gid })
    };
    names.iter().find_map(find).with_context(|| {
        format!(
            "no user to run the server as, such as {}",
            names.join(" or ")
        )
    })
}

/// A new folder that belongs to `user`.
///
/// # Errors
/// When it cannot be made or given away.
pub(super) fn folder(user: Option<&User>) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("server-").tempdir()?;
    if let Some(user) = user {
        chown(folder.path(), Some(user.uid), Some(user.gid))?;
    }
    Ok(folder)
}

/// Installs Debian's packages. Nothing is started: a server of the machine's own is not wanted.
///
/// # Errors
/// What apt-get said.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let _quiet = NoServices::new()?;
    apt(&["update"])?;
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[&install, packages].concat())
}

/// The first of `names` that this machine has; `packages` are installed for it where they may be.
///
/// # Errors
/// When there is none, with what to install.
pub fn program(names: &[&str], packages: &[&str]) -> Result<PathBuf> {
    let find = || {
        let folders = folders();
        let mut all = names
            .iter()
            .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        all.find(|path| path.is_file())
    };
    if find().is_none() && may_install() {
        install(packages)?;
    }
    find().with_context(|| {
        format!(
            "there is no {}: install it (on Debian: apt-get install {})",
            names[0],
            packages.join(" ")
        )
    })
}

/// As root on Debian: in containers and in CI.
pub(super) fn may_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

fn apt(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        // Somebody else may be installing.
        .args(["-o", "DPkg::Lock::Timeout=600"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .context("starting apt-get")?;
    ensure!(
        output.status.success(),
        "apt-get {} failed:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(())
}

/// Forbids packages to start services, by Debian's way of saying so, while it lives.
struct NoServices {
    made: bool,
}

impl NoServices {
    const POLICY: &'static str = "/usr/sbin/policy-rc.d";

    fn new() -> Result<Self> {
        let made = !Path::new(Self::POLICY).exists();
        if made {
            fs::write(Self::POLICY, "#!/bin/sh\nexit 101\n").context(Self::POLICY)?;
            fs::set_permissions(Self::POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { made })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.made {
            // Should it stay, it only goes on to forbid.
            let _ = fs::remove_file(Self::POLICY);
        }
    }
}

//! All variants in one workspace, so that their dependencies are the same and compiled once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Variant;
use crate::{files, generate, house, lock, origin, root, stacks};

const SERVICE: &str = "bench-service";
const FAST: &str = "bench-service-fast";
const BARE: &str = "bare";

#[derive(Debug)]
pub(super) struct Binaries {
    bare: PathBuf,
    service: PathBuf,
    fast: PathBuf,
}

impl Binaries {
    pub(super) fn of(&self, variant: Variant) -> &Path {
        match variant {
            Variant::Bare => &self.bare,
            Variant::ServiceFast => &self.fast,
            Variant::Service | Variant::ServiceSampled | Variant::ServiceDisabled => &self.service,
        }
    }
}

/// # Errors
/// Something cannot be generated or does not compile.
pub(super) fn all(line: &mut dyn FnMut(&str)) -> Result<Binaries> {
    let (target, fresh) = (root().join("target/bench"), tempfile::tempdir()?);
    let workspace = fresh.path();
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n",
    )?;
    let default = stacks::default()?;
    generate::generate_member(&default, SERVICE, workspace)?;
    let fast = format!("{default}+fast-export").parse()?;
    generate::generate_member(&fast, FAST, workspace)?;
    let bare = workspace.join(BARE);
    files::mirror(&root().join("ci/bench/bare"), &bare)?;
    let migrations = origin::template().join("migrations/sqlite");
    files::mirror(&migrations, &bare.join("migrations"))?;
    // The versions that ship, not those of today.
    fs::copy(lock::path(), workspace.join("Cargo.lock"))?;

    let home = target.join("workspace");
    files::mirror(workspace, &home)?;
    let mut cargo = house::cargo(&home);
    cargo.env("CARGO_TARGET_DIR", &target).args([
        "build",
        "--release",
        "--bins",
        "-p",
        BARE,
        "-p",
        SERVICE,
        "-p",
        FAST,
    ]);
    house::run(&mut cargo, line)?;
    let binary = |name: &str| target.join("release").join(name);
    Ok(Binaries {
        bare: binary(BARE),
        service: binary(SERVICE),
        fast: binary(FAST),
    })
}

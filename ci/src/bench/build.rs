//! All variants in one workspace, so that their dependencies are the same and compiled once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Variant;
use crate::stacks::{self, Stack};
use crate::{files, generate, house, lock, origin, root};

const SERVICE: &str = "bench-service";
const FAST: &str = "bench-service-fast";
const BARE: &str = "bare";
const SHELF: &str = "shelf";

/// Where all that the bench builds is.
pub(super) fn target() -> PathBuf {
    root().join("target/bench")
}

/// The program of a variant that is compiled; `None` for Python's.
pub(super) fn binary(variant: Variant) -> Option<PathBuf> {
    let name = match variant {
        Variant::Bare => BARE,
        Variant::Service | Variant::ServiceSampled | Variant::ServiceDisabled => SERVICE,
        Variant::ServiceFast => FAST,
        Variant::ShelfAxumTracingOtel => "shelf-axum-tracing-otel",
        Variant::ShelfOtelTower => "shelf-otel-tower",
        Variant::Python | Variant::PythonBare => return None,
    };
    Some(target().join("release").join(name))
}

/// Builds all variants for release, whichever are measured: others beside it can change the features of what a variant
/// depends on. The services are of `stack`.
///
/// # Errors
/// Something cannot be generated or does not compile.
pub(super) fn all(stack: &Stack, line: &mut dyn FnMut(&str)) -> Result<()> {
    let fresh = tempfile::tempdir()?;
    let workspace = fresh.path();
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n",
    )?;
    generate::generate_member(stack, SERVICE, workspace)?;
    let fast = format!("{stack}+fast-export").parse()?;
    generate::generate_member(&fast, FAST, workspace)?;
    twin(&workspace.join(BARE))?;
    files::mirror(&root().join("ci/bench/shelf"), &workspace.join(SHELF))?;
    // The versions that ship, not those of today.
    fs::copy(lock::path(), workspace.join("Cargo.lock"))?;

    let home = target().join("workspace");
    files::mirror(workspace, &home)?;
    let mut cargo = house::cargo(&home);
    cargo
        .env("CARGO_TARGET_DIR", target())
        .args(["build", "--release", "--bins"]);
    for package in [BARE, SERVICE, FAST, SHELF] {
        cargo.args(["-p", package]);
    }
    house::run(&mut cargo, line)?;
    Ok(())
}

/// Lays out the twin in `folder`. It has what of the default service knows nothing of telemetry: the schema, and the OpenAPI
/// document.
pub(super) fn twin(folder: &Path) -> Result<()> {
    files::mirror(&root().join("ci/bench/bare"), folder)?;
    let migrations = origin::template().join("migrations/sqlite");
    files::mirror(&migrations, &folder.join("migrations"))?;
    let fresh = tempfile::tempdir()?;
    let service = generate::generate(&stacks::default()?, "twin", fresh.path())?;
    files::mirror(&service.join("src/openapi"), &folder.join("src/openapi"))
}

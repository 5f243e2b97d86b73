//! `ci/bench/spans`, beside the telemetry of the full stack and beside the same with `fast-export`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::bench::build::target;
use crate::bench::sink::Sink;
use crate::{files, generate, house, lock, root, stacks};

const PLAIN: &str = "spans";
const FAST: &str = "spans-fast";
/// What the manifest of `ci/bench/spans` calls the service whose telemetry it takes.
const FULL: &str = "bench-full";

#[derive(Debug)]
pub struct Programs {
    pub(in crate::bench) plain: PathBuf,
    pub(in crate::bench) fast: PathBuf,
}

/// # Errors
/// Something cannot be generated or does not compile.
pub fn all(line: &mut dyn FnMut(&str)) -> Result<Programs> {
    let home = home();
    generate(&home, &[(PLAIN, ""), (FAST, "+fast-export")])?;
    let mut cargo = house::cargo(&home);
    cargo.env("CARGO_TARGET_DIR", target()).args([
        "build",
        "--release",
        "--bins",
        "-p",
        PLAIN,
        "-p",
        FAST,
    ]);
    house::run(&mut cargo, line)?;
    let program = |name| target().join("release").join(name);
    Ok(Programs {
        plain: program(PLAIN),
        fast: program(FAST),
    })
}

/// Compiles it, and builds nothing.
///
/// # Errors
/// As for [`all`].
pub fn check(line: &mut dyn FnMut(&str)) -> Result<()> {
    let folder = tempfile::tempdir()?;
    generate(folder.path(), &[(PLAIN, "")])?;
    let mut cargo = house::cargo(folder.path());
    cargo.args(["clippy", "--quiet", "-p", PLAIN, "--", "-D", "warnings"]);
    house::run(&mut cargo, line).map(drop)
}

impl Programs {
    /// How many nanoseconds a span takes its caller more than none, by criterion.
    pub(super) async fn times(
        &self,
        cases: &[String],
        line: &mut dyn FnMut(&str),
    ) -> Result<BTreeMap<String, f64>> {
        let sink = Sink::start().await?;
        let mut cargo = house::cargo(&home());
        cargo
            .env("CARGO_TARGET_DIR", target())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint())
            .args(["bench", "-p", FAST, "--bench", "spans", "--"])
            .arg(format!("^({})/", cases.join("|")));
        // The sink answers on another thread of this runtime.
        tokio::task::block_in_place(|| house::run(&mut cargo, line))?;
        let mut times = BTreeMap::new();
        for case in cases {
            let median = |form: &str| median(&target().join("criterion").join(case).join(form));
            if let (Some(bare), Some(sampled)) = (median("bare")?, median("sampled")?) {
                times.insert(case.clone(), sampled - bare);
            }
        }
        Ok(times)
    }
}

/// Of what criterion wrote into this folder, if it did.
fn median(folder: &Path) -> Result<Option<f64>> {
    let path = folder.join("new/estimates.json");
    if !path.exists() {
        return Ok(None);
    }
    let estimates: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let median = estimates["median"]["point_estimate"].as_f64();
    Ok(Some(median.context("criterion estimated no median")?))
}

/// A workspace of these, by name and by what their stack has that the full one has not.
fn generate(home: &Path, programs: &[(&str, &str)]) -> Result<()> {
    let fresh = tempfile::tempdir()?;
    let workspace = fresh.path();
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\nexclude = [\"target\"]\n",
    )?;
    for (name, extra) in programs {
        let full = format!("{FULL}{}", extra.replace('+', "-"));
        let stack = format!("{}+redis+jobs+grpc{extra}", stacks::default()?);
        generate::generate_member(&stack.parse()?, &full, workspace)?;
        let program = workspace.join(name);
        files::mirror(&root().join("ci/bench/spans"), &program)?;
        let path = program.join("Cargo.toml");
        let manifest = fs::read_to_string(&path)?.replace(FULL, &full).replace(
            "name = \"spans\"\nversion",
            &format!("name = \"{name}\"\nversion"),
        );
        let library = format!("[lib]\nname = \"{PLAIN}\"\n\n[[bench]]");
        fs::write(path, manifest.replace("[[bench]]", &library))?;
    }
    // The versions that ship, not those of today.
    fs::copy(lock::path(), workspace.join("Cargo.lock"))?;
    files::mirror(workspace, home)
}

fn home() -> PathBuf {
    target().join("spans")
}

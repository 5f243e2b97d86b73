//! `cargo run -- fuzz`: the parsers that read what comes from outside, under libFuzzer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::progress::Progress;
use crate::{files, house, origin, root, table};

/// Fuzz the parsers of headers and SQL. It needs a C++ compiler, for libFuzzer is C++, and no nightly Rust.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long each of them.
    #[arg(long, default_value = "1m", value_parser = humantime::parse_duration)]
    time: Duration,
}

const TARGETS: [&str; 2] = ["headers", "sql"];

/// What libFuzzer needs of the compiler, on stable: counters for each edge, and operands of comparisons.
/// <https://clang.llvm.org/docs/SanitizerCoverage.html>
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// # Errors
/// The fuzzers cannot be built. An input that breaks a parser is no error: it is reported, and the exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let project = assemble()?;
    let progress = Progress::new();
    progress.step("building the fuzzers");
    let host = host()?;
    let mut cargo = house::cargo(&project);
    cargo
        .env("CARGO_TARGET_DIR", project.join("target"))
        .env("RUSTFLAGS", FLAGS)
        // Build scripts are not fuzzed.
        .args(["build", "--bins", "--target", &host]);
    house::run(&mut cargo, &mut |line| progress.detail(line))?;

    let mut rows = vec![["parsers", "inputs", "result"].map(str::to_owned).to_vec()];
    let mut passed = true;
    for target in TARGETS {
        progress.step(format!("fuzzing {target}"));
        let corpus = project.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        let mut fuzzer = Command::new(
            project
                .join("target")
                .join(&host)
                .join("debug")
                .join(target),
        );
        fuzzer
            .current_dir(&project)
            .arg(format!("-max_total_time={}", args.time.as_secs().max(1)))
            .args(["-max_len=4096", "-timeout=10", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={target}-"))
            .arg(&corpus);
        let (inputs, result) = match house::run(&mut fuzzer, &mut |line| progress.detail(line)) {
            Ok(said) => (executed(&said), "nothing found".to_owned()),
            Err(error) => {
                passed = false;
                let said = format!("{error:#}");
                progress.note(&said);
                (
                    executed(&said),
                    format!("BROKEN by {}/{target}-*", project.display()),
                )
            }
        };
        rows.push(vec![target.to_owned(), inputs, result]);
    }
    drop(progress);
    print!("{}", table::render(&rows));
    Ok(match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The fuzzers with the sources they are about, which are private to their crate.
fn assemble() -> Result<PathBuf> {
    let (project, own) = (root().join("target/fuzz"), root().join("ci/fuzz"));
    let fresh = tempfile::tempdir()?;
    let sources = fresh.path();
    let telemetry = origin::template().join("telemetry/src");
    for target in TARGETS {
        let file = format!("{target}.rs");
        fs::copy(own.join(&file), sources.join(&file))?;
    }
    for file in [
        "redact.rs",
        "session.rs",
        "sql/sanitize.rs",
        "sql/summary.rs",
        "sql/token.rs",
    ] {
        let from = telemetry.join(file);
        let name = from.file_name().context("a file")?;
        fs::copy(&from, sources.join(name)).with_context(|| format!("copying {file}"))?;
    }
    for (from, to) in [("propagation", "propagation"), ("sql/summary", "summary")] {
        files::mirror(&telemetry.join(from), &sources.join(to))?;
    }
    files::mirror(sources, &project.join("src"))?;
    fs::copy(own.join("Cargo.toml"), project.join("Cargo.toml"))?;
    let lock = project.join("Cargo.lock");
    if !lock.exists() {
        // The versions that ship.
        fs::copy(Path::new(&origin::template()).join("Cargo.lock"), lock)?;
    }
    Ok(project)
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// Out of `stat::number_of_executed_units: 123`.
fn executed(said: &str) -> String {
    let count = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    count.map_or("-", str::trim).to_owned()
}

//! What a service costs before its first request: to build, to build again, to start. Built as its users build it, cold, each
//! into a folder of its own that goes afterwards.

mod build;
pub mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use super::report::median;
use super::sink::Sink;
use super::usage;
use crate::progress::Progress;
use crate::servers;
use crate::service::Service;
use crate::stacks::{self, Stack};
use build::Project;

/// Edits, and starts: their median counts.
const TIMES: usize = 5;
/// Until nothing of the start goes on any more.
const IDLE: Duration = Duration::from_secs(2);
/// A service stops in two seconds; a machine may be busy.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Plan {
    pub only: Vec<Subject>,
    pub parts: Vec<Part>,
}

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Subject {
    /// `ci/bench/bare`.
    Bare,
    /// The default stack.
    Service,
    /// The same, with `fast-export`.
    ServiceFast,
    /// The default stack with Redis, jobs, gRPC and `fast-export`.
    Full,
}

impl Subject {
    pub const ALL: [Self; 4] = [Self::Bare, Self::Service, Self::ServiceFast, Self::Full];

    fn stack(self) -> Result<Option<Stack>> {
        let extras = match self {
            Self::Bare => return Ok(None),
            Self::Service => "",
            Self::ServiceFast => "+fast-export",
            Self::Full => "+redis+jobs+grpc+fast-export",
        };
        let default = stacks::default()?;
        Ok(Some(format!("{default}{extras}").parse()?))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What is measured of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// How many crates it is.
    Crates,
    /// A cold debug build, and one after an edit.
    Debug,
    /// A cold release build; its binary, its start, its memory.
    Release,
}

/// Seconds are the processor's, unless they are said to be those that pass.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub subject: Subject,
    pub crates: Option<usize>,
    pub debug_cpu_s: Option<f64>,
    /// After an edit of a handler.
    pub rebuild_cpu_s: Option<f64>,
    pub rebuild_passed_s: Option<f64>,
    pub release_cpu_s: Option<f64>,
    /// Stripped.
    pub binary_bytes: Option<u64>,
    pub ready_ms: Option<f64>,
    pub idle_mb: Option<f64>,
}

/// # Errors
/// Something cannot be generated, built or run.
pub fn run(plan: &Plan, progress: &Progress) -> Result<Vec<Measured>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut results = Vec::new();
    for &subject in &plan.only {
        let mut line = |line: &str| progress.detail(line);
        let stack = subject.stack()?;
        let project = Project::make(&subject.to_string(), stack.as_ref(), &mut line)?;
        let mut measured = Measured {
            subject,
            crates: None,
            debug_cpu_s: None,
            rebuild_cpu_s: None,
            rebuild_passed_s: None,
            release_cpu_s: None,
            binary_bytes: None,
            ready_ms: None,
            idle_mb: None,
        };
        if plan.parts.contains(&Part::Crates) {
            measured.crates = Some(project.crates(&mut line)?);
        }
        if plan.parts.contains(&Part::Debug) {
            progress.step(format!("{subject}: a debug build"));
            measured.debug_cpu_s = Some(project.build(&[], &mut line)?.cpu.as_secs_f64());
            progress.step(format!("{subject}: edits of a handler"));
            let mut edits = Vec::new();
            for number in 0..TIMES {
                project.edit(number)?;
                edits.push(project.build(&[], &mut line)?);
            }
            let middle = |of: fn(&build::Took) -> Duration| {
                let seconds: Vec<f64> = edits.iter().map(|took| of(took).as_secs_f64()).collect();
                median(&seconds)
            };
            measured.rebuild_cpu_s = middle(|took| took.cpu);
            measured.rebuild_passed_s = middle(|took| took.passed);
            project.clean()?;
        }
        if plan.parts.contains(&Part::Release) {
            progress.step(format!("{subject}: a release build"));
            let took = project.build(&["--release"], &mut line)?;
            measured.release_cpu_s = Some(took.cpu.as_secs_f64());
            let binary = project.binary();
            measured.binary_bytes = Some(std::fs::metadata(&binary)?.len());
            progress.step(format!("{subject}: starts"));
            let starts = runtime.block_on(starts(&binary, stack.as_ref()))?;
            measured.ready_ms = median(&starts.ready_ms);
            measured.idle_mb = median(&starts.idle_mb);
            project.clean()?;
        }
        results.push(measured);
    }
    Ok(results)
}

#[derive(Debug, Default)]
struct Starts {
    /// Until it listens.
    ready_ms: Vec<f64>,
    idle_mb: Vec<f64>,
}

async fn starts(binary: &Path, stack: Option<&Stack>) -> Result<Starts> {
    let sink = Sink::start().await?;
    let mut env: BTreeMap<String, String> = BTreeMap::from([
        ("PORT".to_owned(), "0".to_owned()),
        ("GRPC_PORT".to_owned(), "0".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), sink.endpoint()),
    ]);
    let mut stores = None;
    if let Some(stack) = stack.cloned() {
        // Their clients wait with blocked threads.
        stores = tokio::task::spawn_blocking(move || servers::database(&stack)).await??;
    }
    env.extend(stores.iter().flat_map(servers::Fresh::environment));
    let mut starts = Starts::default();
    for _ in 0..TIMES {
        let service = Service::start(binary, &env).await?;
        starts
            .ready_ms
            .push(service.started_in().as_secs_f64() * 1e3);
        tokio::time::sleep(IDLE).await;
        starts
            .idle_mb
            .push(usage::memory(service.id()?)? as f64 / 1e6);
        service.terminate()?;
        service.ended(STOP_DEADLINE).await?;
    }
    Ok(starts)
}

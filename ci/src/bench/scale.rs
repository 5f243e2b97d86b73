//! How cost grows with the work: spans in a request, routes, ids and made-up paths, connections. What stays the same for each
//! span or request is linear.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use tokio::process::Command;
use tokio::runtime::Runtime;

use super::load::Load;
use super::micro;
use super::micro::run::{Counter, Setting, run as work};
use super::running::{Programs, Running};
use super::{SLICE, Variant, build, count, usage};
use crate::progress::Progress;
use crate::stacks;

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Axis {
    /// Spans of one request.
    Spans,
    /// Routes, of which each is asked for.
    Routes,
    /// Ids in the paths of one route.
    Ids,
    /// Paths of no route, as scanners make them up.
    Paths,
    /// Connections that ask at the same time.
    Connections,
}

impl Axis {
    pub const ALL: [Self; 5] = [
        Self::Spans,
        Self::Routes,
        Self::Ids,
        Self::Paths,
        Self::Connections,
    ];

    fn sizes(self) -> &'static [u64] {
        match self {
            Self::Spans => &[1, 10, 100],
            Self::Routes | Self::Ids | Self::Paths => &[10, 100, 1_000, 10_000],
            Self::Connections => &[1, 10, 100, 1_000],
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// One size of one axis.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub axis: Axis,
    pub size: u64,
    /// That telemetry adds: to a span where these grow, else to a request.
    pub instructions: Option<f64>,
    /// The processor's time for a request, and of that for one of the twin without telemetry.
    pub cpu_us: Option<f64>,
    pub bare_cpu_us: Option<f64>,
    pub p99_ms: Option<f64>,
    pub bare_p99_ms: Option<f64>,
    /// The most memory that the process had, and that without telemetry. With series of metrics only, where routes and paths
    /// grow: spans wait for their export, and the queue bounds that.
    pub memory_mb: Option<f64>,
    pub bare_memory_mb: Option<f64>,
}

/// # Errors
/// Something cannot be built or run, or a span does not arrive.
pub fn run(axes: &[Axis], progress: &Progress) -> Result<Vec<Measured>> {
    let mut results = Vec::new();
    let runtime = Runtime::new()?;
    if axes.iter().any(|axis| *axis != Axis::Connections) {
        progress.step("building the spans for release");
        let programs = micro::build::all(&mut |line| progress.detail(line))?;
        let valgrind = count::valgrind()?;
        for &axis in axes.iter().filter(|axis| **axis != Axis::Connections) {
            for &size in axis.sizes() {
                progress.step(format!("{axis}: {size}"));
                // Each of them was there before those that count.
                let (before, count) = match axis {
                    Axis::Spans => (100, (2_000 / size).max(50)),
                    _ => (size.max(500), size.max(1_000)),
                };
                let counter = Counter::new(&valgrind, before, count);
                results.push(runtime.block_on(within(axis, size, &programs, &counter))?);
            }
        }
    }
    if axes.contains(&Axis::Connections) {
        progress.step("building the service and its twin for release");
        let stack = stacks::default()?;
        build::all(&stack, &mut |line| progress.detail(line))?;
        let programs = Programs {
            stack,
            interpreter: None,
        };
        for &size in Axis::Connections.sizes() {
            progress.step(format!("connections: {size}"));
            results.push(runtime.block_on(connections(size, &programs))?);
        }
    }
    Ok(results)
}

async fn within(
    axis: Axis,
    size: u64,
    programs: &micro::build::Programs,
    counter: &Counter<'_>,
) -> Result<Measured> {
    let (program, case) = (&programs.plain, format!("{axis}-{size}"));
    let bare = counter.count(program, &case, Setting::Bare).await?;
    let on = counter.count(program, &case, Setting::On).await?;
    let added = on.without(bare).instructions;
    let memory = async |setting| {
        let command = Command::new(program);
        let done = work(command, &case, setting, counter.all()).await?;
        anyhow::Ok(done.peak as f64 * 1024.0 / 1e6)
    };
    let mut memories = (None, None);
    if axis != Axis::Spans {
        memories.0 = Some(memory(Setting::Unsampled).await?);
        memories.1 = Some(memory(Setting::Bare).await?);
    }
    Ok(Measured {
        axis,
        size,
        instructions: Some(match axis {
            Axis::Spans => added / size as f64,
            _ => added,
        }),
        cpu_us: None,
        bare_cpu_us: None,
        p99_ms: None,
        bare_p99_ms: None,
        memory_mb: memories.0,
        bare_memory_mb: memories.1,
    })
}

/// Slices of the twin and the service in turn, of which the second ones count.
async fn connections(size: u64, programs: &Programs) -> Result<Measured> {
    let wrap = usage::on_first_core();
    let bare = Running::start(programs, Variant::Bare, &wrap).await?;
    let service = Running::start(programs, Variant::Service, &wrap).await?;
    let mut seen = Vec::new();
    for running in [&bare, &service, &bare, &service] {
        let pid = running.service.id()?;
        let before = usage::cpu(pid)?;
        let connections = usize::try_from(size)?;
        let load = Load::on(running.service.address(), super::Route::Users, connections);
        let slice = load.during(SLICE).await?;
        let cpu = usage::cpu(pid)?.saturating_sub(before);
        seen.push((
            cpu.as_secs_f64() * 1e6 / slice.times.len() as f64,
            slice.percentile(0.99).as_secs_f64() * 1e3,
            usage::memory(pid)? as f64 / 1e6,
        ));
    }
    bare.stop().await?;
    service.stop().await?;
    let (bare, service) = (seen[2], seen[3]);
    Ok(Measured {
        axis: Axis::Connections,
        size,
        instructions: None,
        cpu_us: Some(service.0),
        bare_cpu_us: Some(bare.0),
        p99_ms: Some(service.1),
        bare_p99_ms: Some(bare.1),
        memory_mb: Some(service.2),
        bare_memory_mb: Some(bare.2),
    })
}

/// For people.
pub fn markdown(results: &[Measured]) -> String {
    let mut text = "| | | instructions for telemetry | CPU µs (bare) | p99 ms (bare) | memory MB (bare) |\n|---|--:|--:|--:|--:|--:|\n".to_owned();
    let pair = |own: Option<f64>, bare: Option<f64>| match (own, bare) {
        (Some(own), Some(bare)) => format!("{own:.1} ({bare:.1})"),
        _ => String::new(),
    };
    for result in results {
        let a = match result.axis {
            Axis::Spans => "a span",
            _ => "a request",
        };
        let instructions = result.instructions.map(|count| format!("{count:.0} {a}"));
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            result.axis,
            result.size,
            instructions.unwrap_or_default(),
            pair(result.cpu_us, result.bare_cpu_us),
            pair(result.p99_ms, result.bare_p99_ms),
            pair(result.memory_mb, result.bare_memory_mb),
        ));
    }
    text
}

//! What telemetry costs. All variants run at the same time and take turns of one second, so that what else the machine does
//! hits all of them alike; the instructions of a request are counted one variant after the other.

mod build;
pub mod chart;
pub mod costs;
mod count;
mod echo;
mod load;
pub mod micro;
mod python;
pub mod report;
mod running;
pub mod scale;
mod sink;
pub mod soak;
pub mod tables;
mod usage;
mod variant;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::runtime::Runtime;

use crate::progress::Progress;
use crate::stacks::Stack;
use load::Load;
use report::{Measured, median};
use running::{Programs, Running};
use soak::Soaked;
use usage::OffFirstCore;
pub use variant::{Route, Variant};

const SLICE: Duration = Duration::from_secs(1);
/// Of what a variant can take, where it is measured how long an answer takes when nobody has to wait for long.
const PACE: f64 = 0.7;
/// Percent of a core. A variant that takes less was not saturated.
const ENOUGH: f64 = 85.0;

#[derive(Debug)]
pub struct Plan {
    /// What the services are.
    pub stack: Stack,
    pub variants: Vec<Variant>,
    pub routes: Vec<Route>,
    pub slices: usize,
    pub paced: usize,
    pub connections: usize,
    pub counted: usize,
    /// Where to leave what callgrind wrote.
    pub profiles: Option<PathBuf>,
}

/// # Errors
/// Something cannot be built or run, or a request fails.
pub fn run(mut plan: Plan, progress: &Progress) -> Result<Vec<Measured>> {
    let programs = prepare(&mut plan, progress)?;
    let plan = &plan;
    let mut results = Vec::new();
    for &route in &plan.routes {
        for &variant in &plan.variants {
            results.push(Measured::new(variant, route));
        }
    }
    if plan.slices > 0 {
        let wrap = usage::on_first_core();
        let _others = OffFirstCore::new();
        Runtime::new()?.block_on(slices(plan, &programs, &wrap, &mut results, progress))?;
        warn_of_idle(&results, progress);
    }
    if plan.counted > 0 {
        match count::valgrind() {
            Ok(valgrind) => {
                let counts = count::all(&valgrind, plan, &programs, &mut results, progress);
                Runtime::new()?.block_on(counts)?;
            }
            Err(error) => progress.note(&format!("no instructions: {error:#}")),
        }
    }
    Ok(results)
}

/// As many requests as can be for so long, one variant after the other.
///
/// # Errors
/// As [`run`].
pub fn soak(mut plan: Plan, time: Duration, progress: &Progress) -> Result<Vec<Soaked>> {
    let programs = prepare(&mut plan, progress)?;
    let wrap = usage::on_first_core();
    let _others = OffFirstCore::new();
    Runtime::new()?.block_on(soak::run(&plan, &programs, time, &wrap, progress))
}

/// Builds what `plan` needs. Without Python its variants leave.
fn prepare(plan: &mut Plan, progress: &Progress) -> Result<Programs> {
    progress.step("building all variants for release");
    let needs_python = plan.variants.iter().any(|variant| variant.is_python());
    // That waits for the network, this for the processor.
    let (python, built) = thread::scope(|scope| {
        let python = needs_python.then(|| scope.spawn(python::install));
        let built = build::all(&plan.stack, &mut |line| progress.detail(line));
        let panicked = |_| Err(anyhow!("installing it panicked"));
        let python = python.map(|thread| thread.join().unwrap_or_else(panicked));
        (python.transpose(), built)
    });
    built?;
    let interpreter = python.unwrap_or_else(|error| {
        progress.note(&format!("no Python: {error:#}"));
        plan.variants.retain(|variant| !variant.is_python());
        None
    });
    Ok(Programs {
        stack: plan.stack.clone(),
        interpreter,
    })
}

/// Says where a variant could have answered more: then its numbers are not its own.
fn warn_of_idle(results: &[Measured], progress: &Progress) {
    for result in results {
        let busy = median(&result.rps).zip(median(&result.cpu_us));
        let busy = busy.map(|(requests, each)| requests * each / 1e4);
        if let Some(percent @ ..ENOUGH) = busy {
            progress.note(&format!(
                "{}, {}: busy {percent:.0} % of the time, so the load was the limit, or the machine was busy with other things",
                result.variant, result.route
            ));
        }
    }
}

async fn slices(
    plan: &Plan,
    programs: &Programs,
    wrap: &[String],
    results: &mut [Measured],
    progress: &Progress,
) -> Result<()> {
    for &route in &plan.routes {
        let mut running = Vec::new();
        for &variant in &plan.variants {
            running.push(Running::start(programs, variant, wrap).await?);
        }
        let of_route = || |result: &&mut Measured| result.route == route;
        // The first turn only warms up.
        for turn in 0..=plan.slices {
            progress.step(format!("{route}: turn {turn} of {}", plan.slices));
            for (running, result) in running.iter().zip(results.iter_mut().filter(of_route())) {
                let pid = running.service.id()?;
                let before = usage::cpu(pid)?;
                let load = Load::on(running.service.address(), route, plan.connections);
                let slice = load.during(SLICE).await?;
                result.saw(&slice, usage::memory(pid)?);
                if turn > 0 {
                    result.add(&slice, usage::cpu(pid)?.saturating_sub(before));
                }
            }
        }
        for turn in 1..=plan.paced {
            progress.step(format!("{route}: at a pace, turn {turn} of {}", plan.paced));
            for (running, result) in running.iter().zip(results.iter_mut().filter(of_route())) {
                let rate = PACE * median(&result.rps).unwrap_or_default();
                let load = Load::on(running.service.address(), route, plan.connections);
                let slice = load.paced(rate, SLICE).await?;
                result.saw(&slice, usage::memory(running.service.id()?)?);
                let p99 = slice.percentile(0.99).as_secs_f64() * 1e3;
                result.paced_p99_ms.push(p99);
            }
        }
        for (running, result) in running
            .into_iter()
            .zip(results.iter_mut().filter(of_route()))
        {
            result.spans_received = Some(running.stop().await?.0);
        }
    }
    Ok(())
}

//! As many requests as can be, for long: does every span arrive, and does memory stop growing?

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::load::Load;
use super::running::{Programs, Running};
use super::{Plan, Route, Variant, usage};
use crate::progress::Progress;

/// One variant, soaked.
#[derive(Debug, Serialize)]
pub struct Soaked {
    pub variant: Variant,
    pub seconds: f64,
    pub rps: f64,
    /// By the requests that were answered. `None` where not all are recorded.
    pub spans_ended: Option<usize>,
    pub spans_received: usize,
    /// In a second of processor time, the requests' own included.
    pub spans_a_core_second: f64,
    /// What the service itself said it lost, when it stopped.
    pub said_lost: Option<String>,
    /// After a tenth of the time, and in the end.
    pub rss_mb: [f64; 2],
}

/// One variant after the other, on the users' route: here turns would be pauses.
///
/// # Errors
/// Something cannot be run, or a request fails.
pub(super) async fn run(
    plan: &Plan,
    programs: &Programs,
    time: Duration,
    wrap: &[String],
    progress: &Progress,
) -> Result<Vec<Soaked>> {
    let mut all = Vec::new();
    for &variant in &plan.variants {
        progress.step(format!("{variant}: {time:?} of as many requests as can be"));
        let running = Running::start(programs, variant, wrap).await?;
        let load = Load::on(running.service.address(), Route::Users, plan.connections);
        let pid = running.service.id()?;
        let memory = || usage::memory(pid).map(|bytes| bytes as f64 / 1e6);
        let first = load.during(time / 10).await?;
        let begin = memory()?;
        let second = load.during(time - time / 10).await?;
        let (end, cpu) = (memory()?, usage::cpu(pid)?);
        let (spans_received, ended) = running.stop().await?;
        let answered = first.times.len() + second.times.len();
        let took = (first.took + second.took).as_secs_f64();
        let said = ended.lines.iter().rev();
        let mut said = said.filter_map(|line| line.split_once("telemetry was lost: "));
        let said_lost = said.next().map(|(_, sums)| {
            let sums = sums.split('"').next().unwrap_or(sums);
            sums.to_owned()
        });
        all.push(Soaked {
            variant,
            seconds: took,
            rps: answered as f64 / took,
            spans_ended: variant.spans_a_request().map(|spans| spans * answered),
            spans_received,
            spans_a_core_second: spans_received as f64 / cpu.as_secs_f64(),
            said_lost,
            rss_mb: [begin, end],
        });
    }
    Ok(all)
}

/// A line for each variant.
pub fn markdown(all: &[Soaked]) -> String {
    let mut text = "| users | seconds | requests/s | spans received / ended | lost | lost, it said | spans a core-second | MB, at a tenth → at the end |\n|---|--:|--:|--:|--:|---|--:|--:|\n".to_owned();
    for one in all {
        let ended = one.spans_ended.map(|count| count.to_string());
        let lost = one
            .spans_ended
            .map(|ended| ended.saturating_sub(one.spans_received).to_string());
        text.push_str(&format!(
            "| {} | {:.0} | {:.0} | {} / {} | {} | {} | {:.0} | {:.1} → {:.1} |\n",
            one.variant,
            one.seconds,
            one.rps,
            one.spans_received,
            ended.as_deref().unwrap_or("some"),
            lost.unwrap_or_default(),
            one.said_lost.as_deref().unwrap_or_default(),
            one.spans_a_core_second,
            one.rss_mb[0],
            one.rss_mb[1],
        ));
    }
    text
}

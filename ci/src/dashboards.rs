//! A service with a real Prometheus behind it: whatever its dashboards and alerts ask for must have an answer there.

pub mod exposition;
mod questions;
mod rig;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::servers::{self, Prometheus};
use crate::stacks::Stack;
pub use questions::Question;
use rig::Rig;

/// Rates need requests between two exports: the scenario is told again and again until there are answers.
const DEADLINE: Duration = Duration::from_secs(180);
/// Of each service, from its first export on.
const ALWAYS_THERE: &str = "process_uptime_seconds";

/// What came of the questions.
#[derive(Debug)]
pub struct Verdict {
    pub answered: usize,
    pub unanswered: Vec<Question>,
}

/// Runs `binary`, a service of `stack` that was generated into `project`, and asks.
///
/// # Errors
/// The service or Prometheus does not run, or something that is asked is no PromQL.
pub fn ask(stack: &Stack, project: &Path, binary: &Path) -> Result<Verdict> {
    let deploy = project.join("deploy");
    let stores = servers::database(stack)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (receiver, page) = runtime.block_on(rig::page())?;
    let prometheus = Prometheus::start(page, &deploy.join("prometheus/rules"))?;
    runtime.block_on(async {
        let mut rig = Rig::start(stack, binary, stores.as_ref(), &receiver).await?;
        let begun = Instant::now();
        while prometheus.query(ALWAYS_THERE).await?.is_empty() {
            ensure!(begun.elapsed() < DEADLINE, "nothing has arrived");
            rig.round().await?;
        }
        let boards = deploy.join("grafana/dashboards");
        let mut open = questions::of_dashboards(&boards, &prometheus).await?;
        open.extend(questions::of_rules(&prometheus).await?);
        let all = open.len();
        while !open.is_empty() && begun.elapsed() < DEADLINE {
            rig.round().await?;
            let mut still = Vec::new();
            for question in open {
                if !question.has_an_answer(&prometheus).await? {
                    still.push(question);
                }
            }
            open = still;
        }
        for rule in prometheus.rules().await? {
            ensure!(rule.health == "ok", "{}: {}", rule.name, rule.health);
        }
        rig.stop().await?;
        Ok(Verdict {
            answered: all - open.len(),
            unanswered: open,
        })
    })
}

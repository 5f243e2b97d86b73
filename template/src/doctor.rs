//! `telemetry doctor`: does telemetry arrive where it is sent?

use clap::{Args, Subcommand};

use crate::config::Config;

/// Look after telemetry itself, then exit.
#[derive(Debug, Clone, Args)]
pub struct Telemetry {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Clone, Subcommand)]
enum Task {
    /// Send a span, a metric and a log record to where they are configured to go, and say what is wrong if they do not
    /// arrive. The exit code is 0 if they do.
    Doctor,
}

impl Telemetry {
    pub(crate) async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let Task::Doctor = self.task;
        let diagnosis = telemetry::doctor(config.service()).await?;
        println!("{diagnosis}");
        anyhow::ensure!(
            diagnosis.is_healthy(),
            "telemetry does not arrive; `--help-telemetry` lists its variables and what they are set to"
        );
        Ok(())
    }
}

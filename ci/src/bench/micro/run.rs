//! Runs of `spans`, with and without callgrind.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::Counted;
use crate::bench::sink::Sink;

/// Within valgrind all of it is slow.
const PATIENCE: Duration = Duration::from_secs(600);

/// How the work is done, and what telemetry is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Setting {
    Bare,
    On,
    /// Spans alone, no metrics.
    Traces,
    Unsampled,
    Disabled,
}

impl Setting {
    fn form(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::On | Self::Traces | Self::Disabled => "sampled",
            Self::Unsampled => "unsampled",
        }
    }

    fn variable(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Bare | Self::On => None,
            Self::Traces => Some(("OTEL_METRICS_EXPORTER", "none")),
            Self::Unsampled => Some(("OTEL_TRACES_SAMPLER", "parentbased_always_off")),
            Self::Disabled => Some(("OTEL_SDK_DISABLED", "true")),
        }
    }
}

/// What a run took.
#[derive(Debug)]
pub(in crate::bench) struct Done {
    /// Kilobytes.
    pub(in crate::bench) peak: u64,
}

/// Counts by two runs, one longer than the other: what starting and stopping takes is in both.
#[derive(Debug)]
pub(in crate::bench) struct Counter<'a> {
    valgrind: &'a Path,
    before: u64,
    count: u64,
}

impl<'a> Counter<'a> {
    /// `before` of the same come first.
    pub(in crate::bench) fn new(valgrind: &'a Path, before: u64, count: u64) -> Self {
        Self {
            valgrind,
            before,
            count,
        }
    }

    /// How many there are in the longer run.
    pub(in crate::bench) fn all(&self) -> u64 {
        self.before + self.count
    }

    /// For each operation.
    pub(in crate::bench) async fn count(
        &self,
        program: &Path,
        case: &str,
        setting: Setting,
    ) -> Result<Counted> {
        let less = self.run(program, case, setting, self.before).await?;
        let more = self.run(program, case, setting, self.all());
        Ok(more.await?.without(less).each(self.count))
    }

    async fn run(
        &self,
        program: &Path,
        case: &str,
        setting: Setting,
        count: u64,
    ) -> Result<Counted> {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("callgrind.out");
        let mut command = Command::new(self.valgrind);
        command
            .arg("--tool=callgrind")
            // Or the thread that runs keeps running, and those that export wait.
            .arg("--fair-sched=try")
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(program);
        run(command, case, setting, count).await?;
        Counted::read(&std::fs::read_to_string(&out).context("callgrind wrote nothing")?)
    }
}

/// Runs `command`, and sees that every span arrives.
pub(in crate::bench) async fn run(
    mut command: Command,
    case: &str,
    setting: Setting,
    count: u64,
) -> Result<Done> {
    let sink = Sink::start().await?;
    let wanted = spans(case, setting, count);
    let mut child = command
        .args([case, setting.form(), &count.to_string()])
        .env_clear()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint())
        .envs(setting.variable())
        // They come all at once, and none is lost.
        .env("OTEL_BSP_MAX_QUEUE_SIZE", wanted.max(2_048).to_string())
        .envs([
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            // Once, at the end.
            ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "300000"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300000"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {case}"))?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut peak = None;
    // Warnings are lines, too.
    while peak.is_none() {
        let Some(line) = lines.next_line().await? else {
            break;
        };
        peak = line
            .strip_prefix("peak ")
            .and_then(|peak| peak.parse().ok());
    }
    let peak = peak.with_context(|| format!("{case} did not do its work"))?;
    let end = Instant::now() + PATIENCE;
    while sink.spans() < wanted && Instant::now() < end {
        sleep(Duration::from_millis(20)).await;
    }
    drop(child.stdin.take());
    let status = child.wait().await?;
    ensure!(status.success(), "{case}: {status}");
    let spans = sink.spans();
    ensure!(spans == wanted, "{case}: {spans} spans of {wanted} arrived");
    Ok(Done { peak })
}

/// How many spans leave.
fn spans(case: &str, setting: Setting, count: u64) -> usize {
    let a_time = match case.rsplit_once('-') {
        _ if !matches!(setting, Setting::On | Setting::Traces) => return 0,
        Some(("spans", size)) => size.parse().unwrap_or(1),
        _ => 1,
    };
    // Not through our telemetry.
    if case.starts_with("sdk") {
        return 0;
    }
    // A job that is worked on was pushed before.
    let before = usize::from(case == "job_process");
    usize::try_from(count).unwrap_or(usize::MAX) * a_time + before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_that_must_arrive_are_known_beforehand() {
        assert_eq!(spans("server", Setting::On, 10), 10);
        assert_eq!(spans("spans-100", Setting::On, 10), 1_000);
        assert_eq!(spans("routes-100", Setting::On, 10), 10);
        assert_eq!(spans("job_process", Setting::On, 10), 11);
        assert_eq!(spans("sdk_batch", Setting::On, 10), 0);
        assert_eq!(spans("server", Setting::Disabled, 10), 0);
    }
}

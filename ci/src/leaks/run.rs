//! The three runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::asks::{Rig, Tally};
use super::{flood, plant, search};
use crate::receiver::Receiver;
use crate::scenario::{Part, Parts};
use crate::servers::{self, Fresh};
use crate::service::{Ended, Service};
use crate::stacks::Stack;
use crate::subject;

const DEADLINE: Duration = Duration::from_secs(60);
/// Requests of each half of the flood, and calls of gRPC.
const FLOOD: usize = 5_000;
const GRPC_FLOOD: usize = 500;

/// What was tried, and what came out that should not.
#[derive(Debug, Default)]
pub struct Report {
    pub tally: Tally,
    /// Time series after the first half of the flood, and after all of it.
    pub series: [usize; 2],
    pub findings: Vec<String>,
}

impl Report {
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "  ✗ {finding}")?;
        }
        let Tally {
            planted,
            bad,
            made_up,
        } = self.tally;
        let [half, all] = self.series;
        write!(
            f,
            "{planted} requests with secrets and {bad} bad ones; {made_up} with made-up names left {half} time series after one half and {all} after both",
        )
    }
}

/// Builds the service at `project` with the scenario's faults, and tries to get out of it what must not come out.
///
/// # Errors
/// When it does not build, start or stop, or answers a well-formed request with another status than it should.
pub fn run(stack: &Stack, project: &Path, target_dir: &Path) -> Result<Report> {
    let binary = subject::build(project, target_dir, &mut |_| {})?;
    let parts = Parts::of(stack);
    let mut report = Report::default();
    tokio::runtime::Runtime::new()?.block_on(async {
        let exported = exported(stack, &parts, &binary, &mut report);
        exported.await.context("with everything exported")?;
        let shown = shown(stack, &parts, &binary, &mut report);
        shown.await.context("with everything on the console")?;
        let flooded = flooded(stack, &parts, &binary, &mut report);
        flooded.await.context("under a flood of names")
    })?;
    Ok(report)
}

fn settings(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let common = [
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("GRPC_PORT", "0"),
        ("DEPLOYMENT_ENVIRONMENT", "development"),
        // A busy machine must not look like a Redis that is away.
        ("CACHE_TIMEOUT", "10s"),
        // Nor like a database that is.
        ("DATABASE_TIMEOUT", "30s"),
        ("JOBS_BACKOFF", "0s"),
        ("UPSTREAM_ATTEMPTS", "1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "200"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ("RUST_LOG", LOGS),
    ];
    let pairs = common.iter().chain(more);
    let owned = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut settings: BTreeMap<_, _> = owned.collect();
    settings.extend(plant::environment());
    settings
}

/// All that the service, its telemetry and its libraries have to say.
const LOGS: &str = "trace";

fn stores(fresh: Option<&Fresh>) -> BTreeMap<String, String> {
    fresh.map(Fresh::environment).unwrap_or_default()
}

/// All signals by OTLP, the log on the console as JSON.
async fn exported(stack: &Stack, parts: &Parts, binary: &Path, report: &mut Report) -> Result<()> {
    let fresh = servers::database(stack)?;
    let receiver = Receiver::start().await?;
    let mut rig = Rig::new(parts).await?;
    let mut env = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.grpc_endpoint())]);
    env.extend(stores(fresh.as_ref()));
    env.extend(rig.environment());
    let service = Service::start(binary, &env).await?;
    rig.ask_all(&service, report).await?;
    rig.probe(&service, report).await?;
    if parts.has(Part::Jobs) {
        let done = |all: &crate::receiver::Received| {
            all.metrics
                .iter()
                .any(|point| point.name == "messaging.process.duration")
        };
        receiver.store().wait_for("a job", DEADLINE, done).await?;
    }
    let ended = stop(service).await?;
    let received = receiver.store().snapshot();
    report.findings.extend(search::in_signals(&received));
    report.judge_console(&ended);
    anyhow::ensure!(
        !received.spans.is_empty() && !received.metrics.is_empty() && !received.logs.is_empty(),
        "nothing was exported"
    );
    Ok(())
}

/// Traces, metrics and logs on the console for people. Settings come as arguments, and the collector of the logs is away:
/// what its warning says must hold no secret either.
async fn shown(stack: &Stack, parts: &Parts, binary: &Path, report: &mut Report) -> Result<()> {
    let fresh = servers::database(stack)?;
    let mut rig = Rig::new(parts).await?;
    let collector = format!(
        "http://user:{}@127.0.0.1:9/?api_key={}",
        plant::secret("collector-password"),
        plant::secret("collector-key")
    );
    let env = settings(&[
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector),
        ("TELEMETRY_LOG_FORMAT", "pretty"),
    ]);
    let mut settings = stores(fresh.as_ref());
    settings.extend(rig.environment());
    let service = Service::start_with(binary, &plant::arguments(&settings), &env).await?;
    rig.ask_all(&service, report).await?;
    let warned = |lines: &[String]| {
        lines
            .iter()
            .any(|line| line.contains("telemetry does not reach"))
    };
    service.wait_for("the warning", DEADLINE, warned).await?;
    let ended = stop(service).await?;
    report.judge_console(&ended);
    let tree = ended
        .lines
        .iter()
        .any(|line| line.starts_with("GET /users/{id}  "));
    anyhow::ensure!(tree, "no trace was shown");
    Ok(())
}

/// Made-up names, in two halves of the same kinds: the second one must not add a time series.
async fn flooded(stack: &Stack, parts: &Parts, binary: &Path, report: &mut Report) -> Result<()> {
    let fresh = servers::database(stack)?;
    let receiver = Receiver::start().await?;
    let rig = Rig::new(parts).await?;
    let mut env = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.grpc_endpoint()),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("RUST_LOG", "off,service=info"),
    ]);
    env.extend(stores(fresh.as_ref()));
    env.extend(rig.environment());
    let service = Service::start(binary, &env).await?;
    let grpc = match parts.has(Part::Grpc) {
        true => Some(service.address_of("gRPC listening").await?),
        false => None,
    };
    let mut known = Vec::new();
    for half in 0..2 {
        let numbers = half * FLOOD..(half + 1) * FLOOD;
        report.tally.made_up += numbers.len();
        flood::http(service.address(), numbers).await?;
        if let Some(grpc) = grpc {
            let numbers = half * GRPC_FLOOD..(half + 1) * GRPC_FLOOD;
            report.tally.made_up += numbers.len();
            flood::grpc(grpc, numbers).await?;
        }
        // What is exported next may have been collected before; what comes then was not.
        let exports = receiver.store().snapshot().exports[0];
        let fresh = |all: &crate::receiver::Received| all.exports[0] >= exports + 2;
        receiver
            .store()
            .wait_for("the metrics", DEADLINE, fresh)
            .await?;
        known.push(flood::series(&receiver.store().snapshot().metrics));
    }
    let new: Vec<_> = known[1].difference(&known[0]).collect();
    report.series = [known[0].len(), known[1].len()];
    let few = new.iter().take(5);
    report
        .findings
        .extend(few.map(|series| format!("a made-up name makes a time series: {series}")));
    stop(service).await?;
    Ok(())
}

async fn stop(service: Service) -> Result<Ended> {
    service.terminate()?;
    let ended = service.ended(DEADLINE).await?;
    anyhow::ensure!(
        ended.code == Some(0),
        "the service ended with {:?}",
        ended.code
    );
    Ok(ended)
}

impl Report {
    fn judge_console(&mut self, ended: &Ended) {
        for lines in [&ended.lines, &ended.errors] {
            self.findings.extend(search::on_console(lines));
        }
        self.findings.sort();
        self.findings.dedup();
    }
}

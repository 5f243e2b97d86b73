//! Runs a stack against the contract: record, compare, judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::compare::{Difference, compare, expected};
use super::law::breaches;
use super::render::{Counts, Rendered, render};
use super::{differences, directory};
use crate::conformance::{self, Evidence, Registry};
use crate::scenario::{Leaves, Parts, Plan, Recording, Step, StepRecord, Transport, record};
use crate::servers::{self, Fresh};
use crate::stacks::Stack;
use crate::subject;

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// Files of the contract that were compared.
    pub files: usize,
    pub differences: Vec<Difference>,
    /// What no contract file could make legal.
    pub breaches: Vec<String>,
    pub conformance: Vec<conformance::Report>,
    /// By the contract's files, for the run over gRPC.
    pub expected: Counts,
    pub received: Counts,
    pub requests: usize,
    /// From SIGTERM to the end of the process.
    pub stopped_in: Duration,
}

impl Report {
    pub fn passed(&self) -> bool {
        let conforms = self
            .conformance
            .iter()
            .all(|report| report.violations.is_empty());
        self.differences.is_empty()
            && self.breaches.is_empty()
            && conforms
            && self.expected == self.received
    }

    /// Violations of the semantic conventions, those of all runs together.
    pub fn violations(&self) -> BTreeSet<String> {
        let all = self
            .conformance
            .iter()
            .flat_map(|report| &report.violations);
        all.map(ToString::to_string).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{}", difference.diff)?;
        }
        for breach in &self.breaches {
            writeln!(f, "  ✗ {breach}")?;
        }
        for violation in self.violations() {
            writeln!(f, "  ✗ {violation}")?;
        }
        let Counts {
            spans,
            metrics,
            logs,
        } = self.received;
        let expected = self.expected;
        write!(
            f,
            "{} requests: spans {spans}/{}, metrics {metrics}/{}, log records {logs}/{}; {} of {} contract files match",
            self.requests,
            expected.spans,
            expected.metrics,
            expected.logs,
            self.files - self.differences.len(),
            self.files,
        )
    }
}

/// Builds the service at `project` with the scenario's faults, runs the scenario and judges what came.
///
/// # Errors
/// When it does not build or run, or a step gets another answer than the scenario says. Wrong telemetry is no error but
/// in the report.
pub fn run(stack: &Stack, project: &Path, target_dir: &Path) -> anyhow::Result<Report> {
    judge(stack, &record_stack(stack, project, target_dir)?)
}

/// As [`run`], but writes what came into the contract's files. Returns those that changed.
///
/// # Errors
/// As for [`run`], and when the run broke a rule that no contract can make legal.
pub fn bless(stack: &Stack, project: &Path, target_dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let recordings = record_stack(stack, project, target_dir)?;
    let breaches: Vec<String> = recordings.iter().flat_map(breaches).collect();
    ensure!(
        breaches.is_empty(),
        "this cannot become the contract:\n{}",
        breaches.join("\n")
    );
    let received = rendered(&recordings);
    let mut changed = Vec::new();
    fs::create_dir_all(directory())?;
    let forced = differences::of(stack)?;
    for difference in compare(&received, &expected(&received, &directory())?) {
        // The contract is what the others do.
        if forced
            .iter()
            .any(|forced| difference.file == format!("{}.txt", forced.file))
        {
            continue;
        }
        let path = directory().join(&difference.file);
        fs::write(&path, &received[&difference.file])
            .with_context(|| format!("writing {}", path.display()))?;
        changed.push(path);
    }
    Ok(changed)
}

fn record_stack(
    stack: &Stack,
    project: &Path,
    target_dir: &Path,
) -> anyhow::Result<Vec<Recording>> {
    let binary = subject::build(project, target_dir, &mut |_| {})?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(record_all(&binary, stack, None, |_| {}))
}

/// The whole scenario over gRPC, then the short one over HTTP, each with empty databases. The telemetry goes straight to our
/// receiver, or through the program of a `collector`.
///
/// # Errors
/// As for [`record`], and when there is no server for the databases.
pub async fn record_all(
    binary: &Path,
    stack: &Stack,
    collector: Option<&Path>,
    mut progress: impl FnMut(&Step),
) -> anyhow::Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for transport in Transport::ALL {
        let recording = record_over(transport, binary, stack, collector, &mut progress);
        recordings.push(recording.await?);
    }
    Ok(recordings)
}

/// One of the runs of [`record_all`].
///
/// # Errors
/// As for [`record_all`].
pub async fn record_over(
    transport: Transport,
    binary: &Path,
    stack: &Stack,
    collector: Option<&Path>,
    progress: impl FnMut(&Step),
) -> anyhow::Result<Recording> {
    let fresh = servers::database(stack)?;
    let (short, name) = match transport {
        Transport::Grpc => (false, "over gRPC"),
        Transport::Http => (true, "over HTTP"),
    };
    let plan = Plan {
        binary: binary.to_owned(),
        parts: Parts::of(stack),
        transport,
        short,
        collector: collector.map(Path::to_owned),
        stores: fresh.as_ref().map(Fresh::environment).unwrap_or_default(),
    };
    record(&plan, progress).await.context(name)
}

/// Compares recordings with the contract's files and the semantic conventions.
///
/// # Errors
/// When a contract file cannot be read or the registry is malformed.
pub fn judge(stack: &Stack, recordings: &[Recording]) -> anyhow::Result<Report> {
    let registry = Registry::load()?;
    let files = rendered(recordings);
    let mut contract = expected(&files, &directory())?;
    let forced = differences::of(stack)?;
    differences::apply(&forced, &mut contract)?;
    let differences = compare(&files, &contract);
    let (mut expected, mut received) = (Counts::default(), Counts::default());
    for recording in recordings
        .iter()
        .filter(|recording| recording.transport == Transport::Grpc)
    {
        let rendered = render(recording);
        let texts = rendered.keys().filter_map(|name| contract.get(name));
        expected = Counts::of_text(texts.map(String::as_str));
        let signals = &recording.received;
        received = Counts::of_signals(&signals.spans, &signals.metrics, &signals.logs);
    }
    Ok(Report {
        files: files.len(),
        differences,
        breaches: recordings.iter().flat_map(breaches).collect(),
        conformance: recordings
            .iter()
            .map(|recording| {
                let mut report = conformance::judge(&evidence(recording), &registry);
                report.violations.retain(|violation| {
                    let known = forced.iter().filter_map(|forced| forced.violation.as_ref());
                    !known.into_iter().any(|known| *known == violation.what)
                });
                report
            })
            .collect(),
        expected,
        received,
        requests: recordings
            .iter()
            .map(|recording| recording.steps.len())
            .sum(),
        stopped_in: recordings
            .iter()
            .map(|recording| recording.ended.took)
            .max()
            .unwrap_or_default(),
    })
}

fn rendered(recordings: &[Recording]) -> Rendered {
    let mut files = Rendered::new();
    // The first recording of a step is the full one; the second must say the same.
    for (name, text) in recordings.iter().flat_map(render) {
        files
            .entry(name)
            .and_modify(|known: &mut String| {
                if *known != text {
                    known.push_str("\nOVER ANOTHER TRANSPORT\n");
                    known.push_str(&text);
                }
            })
            .or_insert(text);
    }
    files
}

fn evidence(recording: &Recording) -> Evidence<'_> {
    let mut queries = BTreeMap::new();
    let mut cancelled = BTreeSet::new();
    for record in &recording.steps {
        if let Some(trace) = &record.trace_id {
            queries.insert(trace.clone(), record.step.request.target.contains('?'));
            if record.step.is_cut_off() {
                cancelled.insert(trace.clone());
            }
        }
    }
    let unsampled = |record: &&StepRecord| record.step.leaves == Leaves::OnlyMetrics;
    Evidence {
        unsampled: recording.steps.iter().filter(unsampled).count(),
        received: &recording.received,
        queries,
        cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Part, steps};

    /// Every file belongs to a step that some stack has; a renamed step leaves none behind.
    #[test]
    fn no_file_is_left_over() {
        const OF_THE_RUN: [&str; 13] = [
            "differences.toml",
            "metrics.client.txt",
            "metrics.grpc.txt",
            "metrics.health.txt",
            "metrics.jobs.txt",
            "metrics.redis.txt",
            "metrics.runtime.txt",
            "metrics.sql.txt",
            "metrics.txt",
            "outside.grpc.txt",
            "outside.jobs.txt",
            "outside.txt",
            "resource.txt",
        ];
        let mut names = BTreeSet::from(OF_THE_RUN.map(str::to_owned));
        for set in 0..1 << Part::ALL.len() {
            let parts = Parts::from(|part| set & (1 << part as u8) != 0);
            for step in steps().iter().filter(|step| step.applies_to(&parts)) {
                let name = step.contract(&parts);
                names.extend(name.iter().map(|name| format!("{name}.txt")));
                let over_http = step.over_http();
                names.extend(
                    name.filter(|_| step.short)
                        .map(|name| format!("{name}{over_http}.txt")),
                );
            }
        }
        let files = fs::read_dir(directory())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left_over: Vec<_> = files.filter(|name| !names.contains(name)).collect();
        assert!(left_over.is_empty(), "{left_over:?}");
    }
}

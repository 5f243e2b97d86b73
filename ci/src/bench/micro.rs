//! What one span of each edge costs, by `ci/bench/spans`: instructions and allocations of the whole process, its exporter
//! included, and without those of the same work without the span.

pub mod build;
mod callgrind;
pub mod report;
pub mod run;

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::progress::Progress;
use build::Programs;
pub use callgrind::Counted;
use run::{Counter, Setting};

#[derive(Debug)]
pub struct Plan {
    pub cases: Vec<Case>,
    pub count: u64,
    pub times: bool,
}

/// A span, or what is compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Case {
    /// A request to axum that begins a trace.
    Server,
    /// The same with a `traceparent`.
    ServerCalled,
    /// A statement by sqlx that finds a row in SQLite.
    Sql,
    /// A request by reqwest.
    HttpClient,
    /// A command by redis-rs.
    Redis,
    /// A job that is pushed.
    JobSend,
    /// A job that is worked on.
    JobProcess,
    /// A call of gRPC that is served.
    GrpcServer,
    /// A call of gRPC that is made.
    GrpcClient,
    /// `#[tracing::instrument]` with one field.
    Inner,
    /// `telemetry::traced` with one attribute.
    Traced,
    /// A span with eight attributes through the API of OpenTelemetry.
    ByHand,
    /// The same span by the SDK alone, to a processor that does nothing.
    Sdk,
    /// The same, to the SDK's batch processor with an exporter that does nothing.
    SdkBatch,
}

impl Case {
    pub const ALL: [Self; 14] = [
        Self::Server,
        Self::ServerCalled,
        Self::Sql,
        Self::HttpClient,
        Self::Redis,
        Self::JobSend,
        Self::JobProcess,
        Self::GrpcServer,
        Self::GrpcClient,
        Self::Inner,
        Self::Traced,
        Self::ByHand,
        Self::Sdk,
        Self::SdkBatch,
    ];

    /// Whether it knows nothing of our telemetry.
    fn is_floor(self) -> bool {
        matches!(self, Self::Sdk | Self::SdkBatch)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// One case. All but `bare` is what the span adds to it.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub case: Case,
    /// The work without a span.
    pub bare: Counted,
    /// Exported by opentelemetry-otlp.
    pub service: Counted,
    /// Exported in one pass, by `fast-export`. `None` where it would make no difference, as in what follows.
    pub fast: Option<Counted>,
    /// The same without metrics.
    pub fast_traces: Option<Counted>,
    /// In a trace that is not recorded.
    pub unsampled: Option<Counted>,
    /// With telemetry switched off by a variable.
    pub disabled: Option<Counted>,
    /// How long the caller takes longer, if that was timed.
    pub nanoseconds: Option<f64>,
}

/// # Errors
/// Something cannot be built or run, or a span does not arrive.
pub fn run(plan: &Plan, progress: &Progress) -> Result<Vec<Measured>> {
    let valgrind = super::count::valgrind()?;
    progress.step("building the spans for release");
    let programs = build::all(&mut |line| progress.detail(line))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut results = Vec::new();
    for &case in &plan.cases {
        progress.step(format!("counting instructions: {case}"));
        let counter = Counter::new(&valgrind, plan.count, plan.count);
        results.push(runtime.block_on(measure(case, &programs, &counter))?);
    }
    if plan.times {
        progress.step("timing");
        let names: Vec<String> = plan.cases.iter().map(Case::to_string).collect();
        let times = runtime.block_on(programs.times(&names, &mut |line| progress.detail(line)))?;
        for result in &mut results {
            result.nanoseconds = times.get(&result.case.to_string()).copied();
        }
    }
    Ok(results)
}

async fn measure(case: Case, programs: &Programs, counter: &Counter<'_>) -> Result<Measured> {
    let name = case.to_string();
    let bare = counter.count(&programs.plain, &name, Setting::Bare).await?;
    let service = counter.count(&programs.plain, &name, Setting::On).await?;
    let mut measured = Measured {
        case,
        bare,
        service: service.without(bare),
        fast: None,
        fast_traces: None,
        unsampled: None,
        disabled: None,
        nanoseconds: None,
    };
    if !case.is_floor() {
        let Programs { plain, fast } = programs;
        for (program, setting, count) in [
            (fast, Setting::On, &mut measured.fast),
            (fast, Setting::Traces, &mut measured.fast_traces),
            (plain, Setting::Unsampled, &mut measured.unsampled),
            (plain, Setting::Disabled, &mut measured.disabled),
        ] {
            let counted = counter.count(program, &name, setting).await?;
            *count = Some(counted.without(bare));
        }
    }
    Ok(measured)
}

//! What telemetry costs. All variants run at the same time and take turns of one second, so that what else the machine does
//! hits all of them alike; the instructions of a request are counted one variant after the other.

mod build;
pub mod costs;
mod count;
mod load;
pub mod micro;
pub mod report;
mod sink;
mod usage;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;

use crate::progress::Progress;
use crate::service::Service;
use crate::upstream::Upstream;
use build::Binaries;
use load::Load;
use report::Measured;
use sink::Sink;

const SLICE: Duration = Duration::from_secs(1);
/// Nothing here is late by itself, but within valgrind all of it is slow.
const PATIENCE: [(&str, &str); 5] = [
    ("DATABASE_TIMEOUT", "300s"),
    ("REQUEST_TIMEOUT", "300s"),
    ("UPSTREAM_TIMEOUT", "300s"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "300000"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "300000"),
];
/// Long enough for what is in the queues, and for valgrind.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Plan {
    pub variants: Vec<Variant>,
    pub routes: Vec<Route>,
    pub slices: usize,
    pub connections: usize,
    pub counted: usize,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Variant {
    /// `ci/bench/bare`.
    Bare,
    /// The default stack with everything on.
    Service,
    /// The same, with `fast-export`.
    ServiceFast,
    /// The default stack that records one trace of a hundred.
    #[value(name = "service_1pct")]
    #[serde(rename = "service_1pct")]
    ServiceSampled,
    /// The default stack with telemetry switched off by a variable.
    ServiceDisabled,
}

impl Variant {
    pub const ALL: [Self; 5] = [
        Self::Bare,
        Self::Service,
        Self::ServiceFast,
        Self::ServiceSampled,
        Self::ServiceDisabled,
    ];

    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ServiceSampled => &[
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
            ],
            Self::ServiceDisabled => &[("OTEL_SDK_DISABLED", "true")],
            _ => &[],
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    Users,
    Search,
    External,
}

impl Route {
    pub const ALL: [Self; 3] = [Self::Users, Self::Search, Self::External];

    fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::Users => ("GET", "/users/1"),
            Self::Search => ("GET", "/products?q=lamp"),
            Self::External => ("POST", "/external"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// # Errors
/// Something cannot be built or run, or a request fails.
pub fn run(plan: &Plan, progress: &Progress) -> Result<Vec<Measured>> {
    progress.step("building all variants for release");
    let binaries = build::all(&mut |line| progress.detail(line))?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut results = Vec::new();
        for &route in &plan.routes {
            for &variant in &plan.variants {
                results.push(Measured::new(variant, route));
            }
        }
        if plan.slices > 0 {
            slices(plan, &binaries, &mut results, progress).await?;
        }
        if plan.counted > 0 {
            match count::valgrind() {
                Some(valgrind) => {
                    for result in &mut results {
                        let (variant, route) = (result.variant, result.route);
                        progress.step(format!("counting instructions: {variant}, {route}"));
                        let count = count::instructions(&valgrind, plan, &binaries, variant, route);
                        result.instructions = Some(count.await?);
                    }
                }
                None => progress.note("no valgrind here, so no instructions (Debian: valgrind)"),
            }
        }
        Ok(results)
    })
}

/// A variant at work, and what it sends to.
struct Running {
    service: Service,
    sink: Sink,
    _upstream: Upstream,
}

impl Running {
    /// `wrap` goes before the binary.
    async fn start(variant: Variant, binary: &Path, wrap: &[String]) -> Result<Self> {
        let (sink, upstream) = (Sink::start().await?, Upstream::start().await?);
        let mut env: BTreeMap<String, String> = BTreeMap::from([
            ("PORT".to_owned(), "0".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), sink.endpoint()),
            (
                "UPSTREAM_URL".to_owned(),
                format!("http://{}/", upstream.address()),
            ),
        ]);
        let settings = PATIENCE.iter().chain(variant.settings());
        env.extend(settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let service = Service::start_within(wrap, binary, &env)
            .await
            .with_context(|| variant.to_string())?;
        Ok(Self {
            service,
            sink,
            _upstream: upstream,
        })
    }

    /// Stops it, and says how many spans came in all.
    async fn stop(self) -> Result<usize> {
        self.service.terminate()?;
        self.service.ended(STOP_DEADLINE).await?;
        Ok(self.sink.spans())
    }
}

async fn slices(
    plan: &Plan,
    binaries: &Binaries,
    results: &mut [Measured],
    progress: &Progress,
) -> Result<()> {
    for &route in &plan.routes {
        let mut running = Vec::new();
        for &variant in &plan.variants {
            running.push((
                variant,
                Running::start(variant, binaries.of(variant), &usage::on_first_core()).await?,
            ));
        }
        // The first turn only warms up.
        for turn in 0..=plan.slices {
            progress.step(format!("{route}: turn {turn} of {}", plan.slices));
            for (variant, running) in &running {
                let pid = running.service.id()?;
                let before = usage::cpu(pid)?;
                let load = Load::on(running.service.address(), route, plan.connections);
                let slice = load.during(SLICE).await?;
                let cpu = usage::cpu(pid)?.saturating_sub(before);
                let result = results
                    .iter_mut()
                    .find(|result| (result.variant, result.route) == (*variant, route));
                if let Some(result) = result {
                    result.add(turn > 0, &slice, cpu, usage::memory(pid)?);
                }
            }
        }
        for (variant, running) in running {
            let spans = running.stop().await?;
            let result = results
                .iter_mut()
                .find(|result| (result.variant, result.route) == (variant, route));
            if let Some(result) = result {
                result.spans_received = spans;
            }
        }
    }
    Ok(())
}

//! Runs the scenario against a service binary and keeps everything that came of it. It judges only what a step needs in
//! order to go on: the answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::run::{DEADLINE, Run};
use super::{Outcome, Part, Parts, SECRET, Step, steps};
use crate::client::Answer;
use crate::collector::Collector;
use crate::peer::Peer;
use crate::receiver::{Received, Receiver};
use crate::service::{Ended, Service};
use crate::upstream::{Headers, Upstream};

/// Milliseconds; so long that only the flush at the end exports anything: whatever arrives proves the flush.
const ONLY_AT_THE_END: &str = "600000";
/// Milliseconds between two exports of metrics. A closed pool is observed no more, so some must be exported before.
const METRIC_INTERVAL: &str = "200";
/// Short, since one step waits for it; long enough to hang up or to send SIGTERM before it is over.
const UPSTREAM_TIMEOUT: &str = "1500ms";
/// The service's own limit on the drain is 10 s, on the flush 5 s.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How the service sends its telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP over gRPC, spans and log records in one flush at the end.
    Grpc,
    /// OTLP over HTTP with protobuf bodies, every 200 ms; exceptions as log records instead of span events, and whoever is
    /// called is trusted with baggage.
    Http,
}

impl Transport {
    pub const ALL: [Self; 2] = [Self::Grpc, Self::Http];
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub binary: PathBuf,
    pub parts: Parts,
    pub transport: Transport,
    /// Only the steps that are marked short.
    pub short: bool,
    /// The program of a collector to send through, instead of straight to our receiver.
    pub collector: Option<PathBuf>,
    /// Where its servers are: `DATABASE_URL`, `REDIS_URL`.
    pub stores: BTreeMap<String, String>,
}

/// One step as it went.
#[derive(Clone, Debug)]
pub struct StepRecord {
    pub step: Step,
    /// Of the trace that the request is part of, sampled or not; `None` when nothing told of one.
    pub trace_id: Option<String>,
    /// The span that the request named as its parent.
    pub remote_parent: Option<String>,
    /// `None` when the client hung up.
    pub answer: Option<Answer>,
    /// The headers of each call that the service made to the upstream.
    pub calls: Vec<Headers>,
}

/// Everything that came of a run.
#[derive(Clone, Debug)]
pub struct Recording {
    pub parts: Parts,
    pub transport: Transport,
    pub steps: Vec<StepRecord>,
    pub received: Received,
    /// Spans that had arrived when SIGTERM was sent.
    pub spans_before_stop: usize,
    pub started_in: Duration,
    pub ended: Ended,
    pub service: SocketAddr,
    pub upstream: SocketAddr,
    /// Text that must be in no signal.
    pub secret: &'static str,
}

/// Runs the scenario. `progress` is told the name of each step before it begins.
///
/// # Errors
/// When the service does not start or stop, a step cannot be carried out, or its answer has another status than the
/// scenario says.
pub async fn record(plan: &Plan, mut progress: impl FnMut(&Step)) -> anyhow::Result<Recording> {
    let receiver = Receiver::start().await?;
    let upstream = Upstream::start().await?;
    let peer = Peer::start().await?;
    let receiving = receiver.grpc_endpoint();
    let collector = match &plan.collector {
        Some(program) => Some(Collector::start(program, &receiving).await?),
        None => None,
    };
    let endpoint = match (&collector, plan.transport) {
        (None, Transport::Grpc) => receiving,
        (None, Transport::Http) => receiver.http_endpoint(),
        (Some(collector), Transport::Grpc) => collector.grpc_endpoint(),
        (Some(collector), Transport::Http) => collector.http_endpoint(),
    };
    let environment = environment(plan, endpoint, &upstream, &peer);
    let service = Service::start(&plan.binary, &environment).await?;
    let mut run = Run::new(&service, upstream, peer);
    if plan.parts.has(Part::Grpc) {
        run.find_grpc().await?;
    }

    let all: Vec<Step> = steps()
        .into_iter()
        .filter(|step| step.applies_to(&plan.parts))
        .collect();
    let (last, steps): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|step| matches!(step.outcome, Outcome::Drained(_)));
    for step in steps.into_iter().filter(|step| step.short || !plan.short) {
        progress(&step);
        let name = step.name;
        let attempts = step.attempts * usize::from(plan.parts.has(Part::Jobs));
        let made = async {
            run.step(step).await?;
            run.wait_for_jobs(attempts, &receiver).await
        };
        made.await.with_context(|| {
            format!(
                "step `{name}` failed; the service's output ends with\n{}",
                service.tail()
            )
        })?;
    }
    receiver
        .store()
        .wait_for("metrics", DEADLINE, |all| !all.metrics.is_empty())
        .await?;
    if plan.transport == Transport::Http {
        run.wait_for_spans(&receiver).await?;
    }
    let spans_before_stop = receiver.store().snapshot().spans.len();
    match last.into_iter().next() {
        Some(step) if !plan.short => {
            progress(&step);
            run.drained(step)
                .await
                .context("the request under way at SIGTERM")?;
        }
        _ => service.terminate()?,
    }

    let Run {
        upstream, records, ..
    } = run;
    let (started_in, address) = (service.started_in(), service.address());
    let ended = service.ended(STOP_DEADLINE).await?;
    ensure!(
        ended.code == Some(0),
        "the service ended with {:?} after SIGTERM; its output ends with\n{}",
        ended.code,
        ended.lines[ended.lines.len().saturating_sub(10)..].join("\n"),
    );
    // The exporter waits for answers before the process ends, so nothing is on its way any more but through a collector.
    if let Some(collector) = collector {
        collector.finish().await?;
    }
    Ok(Recording {
        parts: plan.parts.clone(),
        transport: plan.transport,
        steps: records,
        received: receiver.store().snapshot(),
        spans_before_stop,
        started_in,
        ended,
        service: address,
        upstream: upstream.address(),
        secret: SECRET,
    })
}

fn environment(
    plan: &Plan,
    endpoint: String,
    upstream: &Upstream,
    peer: &Peer,
) -> BTreeMap<String, String> {
    let (protocol, interval) = match plan.transport {
        Transport::Grpc => ("grpc", ONLY_AT_THE_END),
        Transport::Http => ("http/protobuf", "200"),
    };
    let upstream = upstream.address();
    let mut env = BTreeMap::from(
        [
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("DEPLOYMENT_ENVIRONMENT", "development"),
            ("UPSTREAM_TIMEOUT", UPSTREAM_TIMEOUT),
            // A busy machine must not look like a Redis that is away.
            ("CACHE_TIMEOUT", "10s"),
            ("JOBS_BACKOFF", "0s"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_BSP_SCHEDULE_DELAY", interval),
            ("OTEL_BLRP_SCHEDULE_DELAY", interval),
            ("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    env.extend(plan.stores.clone());
    env.insert("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint);
    if plan.transport == Transport::Http {
        env.insert(
            "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN".to_owned(),
            "logs".to_owned(),
        );
        env.insert("TELEMETRY_TRUSTED_HOSTS".to_owned(), "127.0.0.1".to_owned());
    }
    if plan.parts.has(Part::Client) {
        let url = format!("http://user:{SECRET}@{upstream}/hello?sig={SECRET}&page=1");
        env.insert("UPSTREAM_URL".to_owned(), url);
    }
    if plan.parts.has(Part::Grpc) {
        env.insert("GRPC_PORT".to_owned(), "0".to_owned());
        let url = format!("http://{}", peer.address());
        env.insert("GRPC_PEER_URL".to_owned(), url);
    }
    env
}

//! Collectors in trouble. Requests do not notice, memory is bounded, one warning a minute is all that is said, every span
//! that is lost is counted, telemetry arrives again as soon as the trouble is over, and the service stops in time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use super::load::{Answers, Load, drive};
use super::proxy::{Mode, Proxy};
use super::{DEADLINE, FEW, Normal, Protocol, Rig, Row, distinct, last_words, memory};
use crate::contract::at_the_end;
use crate::receiver::{Answer, Received, Receiver};
use crate::service::{Ended, Service};
use crate::signals::Measure;

/// Spans of one export.
const BATCH: usize = 512;
/// MiB. The queues are full of spans then, and the last batch is there in three forms.
const MEMORY: f64 = 96.0;
/// Two seconds of it are telemetry's. Generous, as all times here: the machine has other work, too.
const STOP: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    Wire(Mode),
    Says(Answer),
    /// The collector goes while requests come, and comes back.
    Restart,
    /// The endpoint's name is nobody's.
    NoName,
}

/// A collector in trouble.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub name: &'static str,
    trouble: Trouble,
    /// Spans are lost to it, whatever the exporter tries.
    loses: bool,
    /// Variables of the service that belong to it.
    settings: &'static [(&'static str, &'static str)],
}

const fn fault(name: &'static str, trouble: Trouble) -> Fault {
    Fault {
        name,
        trouble,
        loses: true,
        settings: &[],
    }
}

const fn harmless(name: &'static str, trouble: Trouble) -> Fault {
    Fault {
        loses: false,
        ..fault(name, trouble)
    }
}

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

pub const FAULTS: &[Fault] = &[
    fault("absent", Trouble::Wire(Mode::Refuse)),
    fault("silent", Trouble::Wire(Mode::Silent)),
    Fault {
        settings: &[("TOKIO_WORKER_THREADS", "1")],
        ..fault("silent, one worker", Trouble::Wire(Mode::Silent))
    },
    fault("hears, never answers", Trouble::Says(Answer::Never)),
    harmless(
        "slow",
        Trouble::Says(Answer::Late(Duration::from_millis(300))),
    ),
    fault("unavailable", Trouble::Says(Answer::Unavailable(None))),
    fault(
        "unavailable, come again",
        Trouble::Says(Answer::Unavailable(SECOND)),
    ),
    fault("exhausted", Trouble::Says(Answer::Exhausted(None))),
    fault(
        "exhausted, come again",
        Trouble::Says(Answer::Exhausted(SECOND)),
    ),
    fault("takes a part", Trouble::Says(Answer::Partial)),
    fault("resets", Trouble::Wire(Mode::Reset)),
    harmless("restarts", Trouble::Restart),
    fault("bad certificate", Trouble::Wire(Mode::Impostor)),
    fault("no such name", Trouble::NoName),
];

impl Fault {
    fn heals(&self) -> bool {
        !matches!(
            self.trouble,
            Trouble::NoName | Trouble::Wire(Mode::Impostor) | Trouble::None
        )
    }

    fn endpoint(&self, wire: &Proxy) -> String {
        match self.trouble {
            Trouble::NoName => "http://collector.invalid:4317".to_owned(),
            Trouble::Wire(Mode::Impostor) => format!("https://{}", wire.address()),
            _ => format!("http://{}", wire.address()),
        }
    }

    async fn begin(&self, receiver: &Receiver, wire: &mut Proxy) -> Result<()> {
        match self.trouble {
            Trouble::Wire(mode) => wire.set(mode).await,
            Trouble::Says(answer) => {
                receiver.answer(answer);
                Ok(())
            }
            Trouble::None | Trouble::Restart | Trouble::NoName => Ok(()),
        }
    }

    async fn end(&self, receiver: &Receiver, wire: &mut Proxy) -> Result<()> {
        receiver.answer(Answer::Accept);
        wire.set(Mode::Pass).await
    }

    /// # Errors
    /// When the service or the rig itself fails. A promise that is broken is in the row.
    pub async fn try_out(&self, rig: &Rig, protocol: Protocol) -> Result<Row> {
        Ok(run(rig, self, protocol).await?.1)
    }
}

/// What is normal, and how it went.
pub(super) async fn healthy(rig: &Rig) -> Result<(Normal, Row)> {
    run(rig, &harmless("none", Trouble::None), Protocol::Grpc).await
}

async fn run(rig: &Rig, fault: &Fault, protocol: Protocol) -> Result<(Normal, Row)> {
    let mut row = Row::of(&rig.stack, fault.name, protocol.name());
    let receiver = Receiver::start().await?;
    let mut wire = Proxy::start(receiver.addresses()[protocol as usize]).await?;
    fault.begin(&receiver, &mut wire).await?;
    let endpoint = fault.endpoint(&wire);
    let begun = Instant::now();
    let service = rig.start(&endpoint, protocol, fault.settings).await?;
    let process = service.id()?;
    let mut all = vec![asked(&service, FEW).await?];

    let before = memory(process, "VmRSS:")?;
    let answers = under_load(rig, fault, &service, &mut wire).await?;
    (row.median, row.slowest) = (answers.quantile(0.5), answers.quantile(0.99));
    all.push(answers);
    if fault.loses {
        let warned = |lines: &[String]| warnings(lines) > 0;
        let warned = service.wait_for("a warning", DEADLINE, warned).await;
        row.promise(warned.is_ok(), || "nothing is said of what is lost".into());
    }
    row.grown = memory(process, "VmHWM:")? - before;

    if fault.heals() {
        fault.end(&receiver, &mut wire).await?;
        let again = arrive_again(&service, &receiver, &mut all).await?;
        row.promise(again, || "no span arrives after the trouble is over".into());
        let counts = |received: &Received| !fault.loses || counted(received) > 0;
        let store = receiver.store();
        let counted_in_time = store.wait_for("a metric", DEADLINE, counts).await;
        row.promise(counted_in_time.is_ok(), || {
            "no metric counts what was lost".into()
        });
        fault.begin(&receiver, &mut wire).await?;
        all.push(asked(&service, FEW).await?);
    }
    service.terminate()?;
    let ended = service.ended(DEADLINE).await?;
    let received = receiver.store().snapshot();
    for answers in &all {
        row.count(answers);
    }
    let spans = account(rig, &all, &received, &ended, &mut row)?;
    judge(rig, begun, &ended, &mut row);
    let median = row.median;
    Ok((Normal { spans, median }, row))
}

/// The load, during which a collector may restart.
async fn under_load(
    rig: &Rig,
    fault: &Fault,
    service: &Service,
    wire: &mut Proxy,
) -> Result<Answers> {
    let load = rig.load();
    let (answered, mut heard) = watch::channel(0);
    let restart = async {
        if matches!(fault.trouble, Trouble::Restart) {
            for (count, mode) in [
                (load.requests / 4, Mode::Refuse),
                (load.requests / 2, Mode::Pass),
            ] {
                heard.wait_for(|answered| *answered >= count).await?;
                wire.set(mode).await?;
            }
        }
        anyhow::Ok(())
    };
    let (answers, restarted) = tokio::join!(drive(service.address(), load, &answered), restart);
    restarted?;
    answers
}

/// Asks until a span of what was asked arrives: the first ones may find the queue full still.
async fn arrive_again(
    service: &Service,
    receiver: &Receiver,
    all: &mut Vec<Answers>,
) -> Result<bool> {
    let begun = Instant::now();
    let mut since = BTreeSet::new();
    while begun.elapsed() < DEADLINE {
        let answers = asked(service, FEW).await?;
        since.extend(answers.traces.iter().cloned());
        all.push(answers);
        let here = |received: &Received| {
            let mut spans = received.spans.iter();
            spans.any(|span| since.contains(&span.trace_id))
        };
        let store = receiver.store();
        if store
            .wait_for("a span", Duration::from_millis(500), here)
            .await
            .is_ok()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn asked(service: &Service, load: Load) -> Result<Answers> {
    drive(service.address(), load, &watch::channel(0).0).await
}

/// Every span is received or lost by the service's own account. How many a request leaves.
pub(super) fn account(
    rig: &Rig,
    all: &[Answers],
    received: &Received,
    ended: &Ended,
    row: &mut Row,
) -> Result<usize> {
    let traces: Vec<&String> = all.iter().flat_map(|answers| &answers.traces).collect();
    let of = |trace: &str| {
        let spans = received.spans.iter();
        spans.filter(|span| span.trace_id == trace).count()
    };
    let spans = match rig.normal.spans {
        0 => of(traces.first().context("no trace is told")?),
        known => known,
    };
    let words = last_words(&ended.lines, "spans")?;
    (row.received, row.counted) = (distinct(received), counted(received));
    row.lost = words.map_or(0, |(lost, _)| lost);
    row.ended = spans * traces.len();
    let (ended, received, lost, counted) = (row.ended, row.received, row.lost, row.counted);
    // An export whose answer was cut off is on both sides.
    let twice = (received + lost).saturating_sub(ended);
    row.promise(received + lost >= ended && twice <= 2 * BATCH, || {
        format!("{ended} spans ended, {received} were received and {lost} lost")
    });
    row.promise(counted <= lost, || {
        format!("{counted} spans are counted as lost, and {lost} were")
    });
    Ok(spans)
}

/// What must hold of every service, whatever its collector does.
fn judge(rig: &Rig, begun: Instant, ended: &Ended, row: &mut Row) {
    row.warnings = warnings(&ended.lines);
    row.stopped_in = ended.took.as_secs_f64();
    let (failed, grown, said, code) = (row.failed, row.grown, row.warnings, ended.code);
    row.promise(failed == 0, || format!("{failed} requests failed"));
    row.promise(grown < MEMORY, || format!("memory grew by {grown:.0} MiB"));
    let minutes = begun.elapsed().as_secs() / 60;
    row.promise(said as u64 <= 1 + minutes, || {
        format!("{said} warnings, more than one a minute")
    });
    row.promise(code == Some(0), || format!("it ended with {code:?}"));
    row.promise(ended.took < STOP, || {
        format!("it took {:?} to stop", ended.took)
    });
    let (median, normal) = (row.median, rig.normal.median);
    row.promise(normal == 0.0 || median < normal * 10.0 + 1000.0, || {
        format!("half of the requests took more than {median:.0} ms, where {normal:.0} are normal")
    });
    let panicked = ended.lines.iter().chain(&ended.errors);
    let panicked = panicked.filter(|line| line.contains("panicked")).count();
    row.promise(panicked == 0, || "something panicked".into());
}

fn warnings(lines: &[String]) -> usize {
    let warning = |line: &&String| {
        line.contains("\"level\":\"WARN\"") && line.contains("\"target\":\"telemetry\"")
    };
    lines.iter().filter(warning).count()
}

/// Spans that the metrics of telemetry's own health count as lost.
fn counted(received: &Received) -> usize {
    let of_spans = [
        "otel.sdk.processor.span.processed",
        "otel.sdk.exporter.span.exported",
    ];
    let points = at_the_end(&received.metrics).into_iter();
    let lost = points.filter(|point| {
        of_spans.contains(&point.name.as_str()) && point.attributes.contains_key("error.type")
    });
    let counts = lost.map(|point| match point.measure {
        Measure::Number(count) => count as usize,
        Measure::Histogram { .. } => 0,
    });
    counts.sum()
}

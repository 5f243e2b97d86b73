//! The steps as they are carried out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tokio::net::TcpStream;

use super::{Leaves, Outcome, Parent, Step, StepRecord};
use crate::client::{self, Answer};
use crate::contract::at_the_end;
use crate::peer::Peer;
use crate::receiver::{Received, Receiver};
use crate::service::Service;
use crate::signals::{Kind, Measure};
use crate::upstream::{Mode, Upstream};

/// The wait for anything that takes milliseconds when all is well.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// A scenario under way.
pub(super) struct Run<'a> {
    service: &'a Service,
    /// Where the service listens for gRPC, if it does.
    grpc: Option<SocketAddr>,
    pub(super) upstream: Upstream,
    peer: Peer,
    pub(super) records: Vec<StepRecord>,
    /// Attempts at jobs that the steps so far have set off.
    attempts: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(service: &'a Service, upstream: Upstream, peer: Peer) -> Self {
        Self {
            service,
            grpc: None,
            upstream,
            peer,
            records: Vec::new(),
            attempts: 0,
        }
    }

    /// Learns where the service listens for gRPC. It is its own peer.
    pub(super) async fn find_grpc(&mut self) -> anyhow::Result<()> {
        let address = self.service.address_of("gRPC listening").await?;
        self.grpc = Some(address);
        self.peer.forward_to(address);
        Ok(())
    }

    pub(super) async fn step(&mut self, step: Step) -> anyhow::Result<()> {
        let (request, parent) = with_parent(&step, self.records.len());
        let address = match self.grpc {
            Some(address) if request.is_grpc() => address,
            _ => self.service.address(),
        };
        self.upstream.set(step.upstream).await?;
        self.peer.listen(step.upstream != Mode::Refuse).await?;
        let calls = self.upstream.calls();
        let answer = match step.outcome {
            Outcome::Status(_) => Some(client::send(address, &request).await?),
            Outcome::Cancelled => {
                let reached = self.upstream.wait_for_calls(calls + 1, DEADLINE);
                client::abandon(address, &request, reached).await?;
                None
            }
            Outcome::Refused(status) => {
                let answered = client::send_raw(address, &request).await?;
                ensure!(
                    answered == status,
                    "answered {answered} instead of {status}"
                );
                None
            }
            Outcome::Drained(_) => bail!("is not an ordinary step"),
        };
        self.keep(step, parent, answer, calls)
    }

    /// Sends a request, SIGTERM while it hangs, and lets it go on when the service accepts nobody else.
    pub(super) async fn drained(&mut self, step: Step) -> anyhow::Result<()> {
        let address = self.service.address();
        let (request, parent) = with_parent(&step, self.records.len());
        self.upstream.set(step.upstream).await?;
        let calls = self.upstream.calls();
        let under_way = tokio::spawn(async move { client::send(address, &request).await });
        self.upstream.wait_for_calls(calls + 1, DEADLINE).await?;
        self.service.terminate()?;
        closed(address).await?;
        self.upstream.set(Mode::Answer(200)).await?;
        let answer = under_way.await??;
        self.keep(step, parent, Some(answer), calls)
    }

    fn keep(
        &mut self,
        step: Step,
        parent: Option<(String, String)>,
        answer: Option<Answer>,
        calls: usize,
    ) -> anyhow::Result<()> {
        if let (Some(answer), Outcome::Status(status) | Outcome::Drained(status)) =
            (&answer, step.outcome)
        {
            let body = String::from_utf8_lossy(&answer.body);
            ensure!(
                answer.status == status,
                "answered {} instead of {}: {body}",
                step.request.outcome(answer.status),
                step.request.outcome(status),
            );
        }
        let (trace_id, remote_parent) = match parent {
            Some((trace, span)) => (Some(trace), Some(span)),
            None => (
                answer
                    .as_ref()
                    .and_then(Answer::trace_id)
                    .map(str::to_owned),
                None,
            ),
        };
        ensure!(
            trace_id.is_some() || step.leaves == Leaves::Nothing,
            "the answer has no `traceresponse` header",
        );
        self.records.push(StepRecord {
            step,
            trace_id,
            remote_parent,
            answer,
            calls: self.upstream.headers_since(calls),
        });
        Ok(())
    }

    /// Waits until the jobs that `step` set off have ended. Their spans may leave the service at its end only; how many
    /// attempts were made, its metrics tell at once.
    pub(super) async fn wait_for_jobs(
        &mut self,
        attempts: usize,
        receiver: &Receiver,
    ) -> anyhow::Result<()> {
        if attempts == 0 {
            return Ok(());
        }
        self.attempts += attempts;
        let made = |all: &Received| {
            let counts = at_the_end(&all.metrics)
                .into_iter()
                .filter(|point| point.name == "messaging.process.duration")
                .map(|point| match point.measure {
                    Measure::Histogram { count, .. } => count,
                    Measure::Number(_) => 0,
                });
            counts.sum::<u64>() >= self.attempts as u64
        };
        receiver
            .store()
            .wait_for("the end of the jobs", DEADLINE, made)
            .await
    }

    /// Waits until each trace has its server span.
    pub(super) async fn wait_for_spans(&self, receiver: &Receiver) -> anyhow::Result<()> {
        let traces: Vec<_> = self
            .records
            .iter()
            .filter(|record| record.step.leaves == Leaves::Trace)
            .filter_map(|record| record.trace_id.as_deref())
            .collect();
        let arrived = |all: &Received| {
            traces.iter().all(|trace| {
                all.spans
                    .iter()
                    .any(|span| span.trace_id == **trace && span.kind == Kind::Server)
            })
        };
        receiver
            .store()
            .wait_for("the server span of each step", DEADLINE, arrived)
            .await
    }
}

/// The request with its `traceparent`, and the trace and span ids in it when they are valid.
fn with_parent(step: &Step, index: usize) -> (client::Request, Option<(String, String)>) {
    let mut request = step.request.clone();
    let parent = match step.parent {
        Parent::None => None,
        Parent::Garbage(text) => {
            request.headers.push(("traceparent", text.to_owned()));
            None
        }
        Parent::Remote { sampled } => {
            let (trace, span) = (format!("5ce1{index:028x}"), format!("c11e{index:012x}"));
            request.headers.push((
                "traceparent",
                format!("00-{trace}-{span}-0{}", u8::from(sampled)),
            ));
            request
                .headers
                .push(("tracestate", "vendor=kept".to_owned()));
            Some((trace, span))
        }
    };
    (request, parent)
}

/// Waits until nobody listens on `address` any more. The system tells nobody, so this has to ask again and again.
async fn closed(address: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        ensure!(
            begun.elapsed() < DEADLINE,
            "still accepts connections {DEADLINE:?} after SIGTERM"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

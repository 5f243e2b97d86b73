//! The service itself in trouble: told to stop, killed, panicking, or left by its clients. What was begun is accounted for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::collector::{account, asked};
use super::load::{Load, drive};
use super::{DEADLINE, FEW, Protocol, Rig, Row, TARGETS, distinct};
use crate::client::{self, Request};
use crate::contract::at_the_end;
use crate::receiver::{Received, Receiver};
use crate::service::Service;
use crate::signals::{Kind, Measure, Span};

/// Never answered, until somebody gives up: `faults` has planted it.
const STALLED: &str = "/products?q=slow-please";
/// One in five panics.
const SOME_PANIC: &[&str] = &[
    "/products?q=lamp",
    "/products?q=panic-please",
    "/products?q=lamp",
    "/products?q=lamp",
    "/products?q=lamp",
];

/// Told to stop while 200 clients are being answered and three wait for what will never come: whoever was heard is
/// answered or cut at the deadline, and each has its span.
pub(super) async fn stopped(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    const WAITING: usize = 3;
    let service = started(rig, receiver, &[]).await?;
    asked(&service, FEW).await?;
    let address = service.address();
    let stalled = Load {
        targets: &[STALLED],
        requests: WAITING,
        concurrency: WAITING,
    };
    let waiting = tokio::spawn(async move { drive(address, stalled, &watch::channel(0).0).await });
    are_active(receiver, WAITING).await?;
    let (answered, mut heard) = watch::channel(0);
    let load = Load {
        targets: TARGETS,
        requests: usize::MAX,
        concurrency: 200,
    };
    let stop = async {
        heard.wait_for(|answered| *answered >= 500).await?;
        service.terminate()?;
        anyhow::Ok(Instant::now())
    };
    let (answers, told) = tokio::join!(drive(address, load, &answered), stop);
    let told = told?;
    let (answers, cut_off) = (answers?, waiting.await??);
    let ended = service.ended(DEADLINE).await?;
    let took = told.elapsed();
    row.stopped_in = took.as_secs_f64();

    let received = receiver.store().snapshot();
    let is_stalled = |span: &&Span| span.string("url.query") == Some("q=slow-please");
    let servers = || {
        received
            .spans
            .iter()
            .filter(|span| span.kind == Kind::Server)
    };
    let cut: Vec<&Span> = servers().filter(is_stalled).collect();
    let begun = servers().count() - cut.len() - FEW.requests;
    row.requests = answers.answered() + answers.cut + FEW.requests;
    row.failed = answers.answered() - answers.with(200);
    row.received = distinct(&received);
    row.lost = super::last_words(&ended.lines, "spans")?.map_or(0, |(lost, _)| lost);
    // A request that is sent on a connection while the service closes it was begun or not: only the service knows.
    let (least, most) = (answers.answered(), answers.answered() + answers.cut);
    row.ended = (begun + FEW.requests) * rig.normal.spans + 2 * cut.len();
    row.promise((least..=most).contains(&begun), || {
        format!("{least} to {most} requests were begun, and {begun} have a span")
    });
    let (ended_spans, received, lost) = (row.ended, row.received, row.lost);
    row.promise(ended_spans == received && lost == 0, || {
        format!("{ended_spans} spans ended, {received} were received, {lost} lost")
    });
    // That 200 at once may find the database busy is no matter of the stop: they were answered.
    let (cut_off, spans) = (cut_off.cut + cut_off.answered(), cut.len());
    row.promise(spans == WAITING && cut_off == WAITING, || {
        format!("of {WAITING} requests that were cut off {spans} have a span")
    });
    let marked = cut
        .iter()
        .all(|span| span.attributes.contains_key("error.type"));
    row.promise(marked, || "a request that was cut off looks well".into());
    row.promise(ended.code == Some(0), || {
        format!("it ended with {:?}", ended.code)
    });
    row.promise(took < Duration::from_secs(15), || {
        format!("it took {took:?} to stop")
    });
    Ok(())
}

/// What was ended before the last batch is safe.
pub(super) async fn killed(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    let service = started(rig, receiver, &[]).await?;
    let before = asked(&service, rig.load()).await?;
    row.count(&before);
    let (safe, enough) = (before.traces.len() * rig.normal.spans, DEADLINE);
    let all = |received: &Received| distinct(received) >= safe;
    let arrived = receiver.store().wait_for("all spans", enough, all).await;
    row.promise(arrived.is_ok(), || {
        "spans do not leave by themselves".into()
    });
    row.count(&asked(&service, FEW).await?);
    service.kill()?;
    service.ended(DEADLINE).await?;
    row.ended = safe + FEW.requests * rig.normal.spans;
    row.received = distinct(&receiver.store().snapshot());
    row.lost = row.ended.saturating_sub(row.received);
    let (lost, last) = (row.lost, FEW.requests * rig.normal.spans);
    row.promise(lost <= last, || {
        format!("{lost} spans are lost, and the last batch had {last}")
    });
    Ok(())
}

/// A panic is a 500 and nobody else's trouble.
pub(super) async fn panics(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    let service = started(rig, receiver, &[]).await?;
    let load = Load {
        targets: SOME_PANIC,
        ..rig.load()
    };
    let answers = asked(&service, load).await?;
    let after = asked(&service, FEW).await?;
    let ended = stop(service, row).await?;
    let received = receiver.store().snapshot();
    row.count(&answers);
    row.count(&after);
    let panicked = load.requests.div_ceil(SOME_PANIC.len());
    let panicked = panicked.min(load.requests);
    row.failed -= answers.with(500).min(panicked);
    let (failed, seen) = (row.failed, answers.with(500));
    row.promise(failed == 0 && after.failed() == 0, || {
        format!("{failed} requests failed that did not panic")
    });
    row.promise(seen == panicked, || {
        format!("{panicked} handlers panicked, {seen} clients got a 500")
    });
    let of_panics: Vec<&Span> = received
        .spans
        .iter()
        .filter(|span| span.kind == Kind::Server && span.string("error.type") == Some("panic"))
        .collect();
    let spans = of_panics.len();
    row.promise(spans == panicked, || {
        format!("{panicked} handlers panicked, {spans} spans say so")
    });
    let in_traces: BTreeSet<&String> = of_panics.iter().map(|span| &span.trace_id).collect();
    let events = received
        .spans
        .iter()
        .filter(|span| in_traces.contains(&span.trace_id))
        .flat_map(|span| &span.events);
    let recorded = events.filter(|event| event.name == "exception").count();
    row.promise(recorded == panicked, || {
        format!("{panicked} handlers panicked, {recorded} exceptions are on record")
    });
    // A handler that panics leaves no span of the database.
    let words = super::last_words(&ended.lines, "spans")?;
    row.lost = words.map_or(0, |(lost, _)| lost);
    row.received = distinct(&received);
    let servers = received
        .spans
        .iter()
        .filter(|span| span.kind == Kind::Server);
    let (servers, requests, lost) = (servers.count(), row.requests, row.lost);
    row.ended = row.received + lost;
    row.promise(servers == requests || lost > 0, || {
        format!("{requests} requests have {servers} spans")
    });
    Ok(())
}

/// Clients that leave before they are answered: each has its span, and nothing is active any more.
pub(super) async fn abandoned(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    const CLIENTS: usize = 50;
    let service = started(rig, receiver, &[]).await?;
    let address = service.address();
    let (begun, _) = watch::channel(());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut begun = begun.subscribe();
        clients.spawn(async move {
            let request = Request {
                method: "GET",
                target: STALLED,
                headers: Vec::new(),
                body: Vec::new(),
            };
            let all_wait = async move { Ok(begun.changed().await?) };
            client::abandon(address, &request, all_wait).await
        });
    }
    are_active(receiver, CLIENTS).await?;
    begun.send_replace(());
    while let Some(client) = clients.join_next().await {
        client?.context("a client that hangs up")?;
    }
    let idle = are_active(receiver, 0).await;
    row.promise(idle.is_ok(), || {
        "requests stay active without a client".into()
    });
    let after = asked(&service, FEW).await?;
    row.count(&after);
    let ended = stop(service, row).await?;
    let mut received = receiver.store().snapshot();
    let left = |span: &Span| span.string("url.query") == Some("q=slow-please");
    let spans: Vec<&Span> = received.spans.iter().filter(|span| left(span)).collect();
    let marked = spans
        .iter()
        .filter(|span| span.attributes.contains_key("error.type"));
    let (spans, marked) = (spans.len(), marked.count());
    row.promise((spans, marked) == (CLIENTS, CLIENTS), || {
        format!("{CLIENTS} clients hung up; {spans} have a span, {marked} of them marked")
    });
    // The account is of those that were answered.
    let theirs: BTreeSet<String> = received
        .spans
        .iter()
        .filter(|span| left(span))
        .map(|span| span.trace_id.clone())
        .collect();
    received
        .spans
        .retain(|span| !theirs.contains(&span.trace_id));
    account(rig, &[after], &received, &ended, row)?;
    row.requests += CLIENTS;
    Ok(())
}

pub(super) async fn started(
    rig: &Rig,
    receiver: &Receiver,
    own: &[(&str, &str)],
) -> Result<Service> {
    rig.start(&receiver.grpc_endpoint(), Protocol::Grpc, own)
        .await
}

pub(super) async fn stop(service: Service, row: &mut Row) -> Result<crate::service::Ended> {
    service.terminate()?;
    let ended = service.ended(DEADLINE).await?;
    row.stopped_in = ended.took.as_secs_f64();
    row.promise(ended.code == Some(0), || {
        format!("it ended with {:?}", ended.code)
    });
    Ok(ended)
}

/// Waits until as many requests are active as the metric says.
async fn are_active(receiver: &Receiver, count: usize) -> Result<()> {
    let what = format!("{count} active requests");
    let active = |received: &Received| {
        let points = at_the_end(&received.metrics).into_iter();
        let mut points = points.filter(|point| point.name == "http.server.active_requests");
        points.any(
            |point| matches!(point.measure, Measure::Number(number) if number as usize == count),
        )
    };
    receiver.store().wait_for(&what, DEADLINE, active).await
}

//! What a service calls fails, and it can do without: a Redis that is only its cache, and an upstream. Whoever asks hears in
//! time, the trace of each request is whole, and the service recovers by itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use tokio::time::timeout;

use super::collector::asked;
use super::database::wired;
use super::load::{Answers, Load};
use super::proxy::{Mode, Proxy};
use super::service::{started, stop};
use super::{DEADLINE, FEW, Rig, Row, distinct, last_words};
use crate::receiver::{Received, Receiver};
use crate::service::Service;
use crate::signals::{Kind, Span};
use crate::upstream::Upstream;

const USERS: Load = Load {
    targets: &["/users/1"],
    requests: 20,
    concurrency: 4,
};
const ONE_USER: Load = Load {
    requests: 1,
    concurrency: 1,
    ..USERS
};
const CALLS: Load = Load {
    targets: &["POST /external"],
    requests: 12,
    concurrency: 4,
};

/// Every request is answered as if nothing were, and says of its cache that there is none.
pub(super) async fn redis(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    const VARIABLE: &str = "REDIS_URL";
    let (mut wire, url) = wired(rig, VARIABLE).await?;
    let settings = [(VARIABLE, &*url), ("CACHE_TIMEOUT", "2s")];
    let service = started(rig, receiver, &settings).await?;
    let begun = uses_its_cache(&service, receiver).await;
    row.promise(begun.is_ok(), || "it uses no cache to begin with".into());
    let mut without = Vec::new();
    for mode in [Mode::Refuse, Mode::Reset, Mode::Silent] {
        wire.set(mode).await?;
        let answers = asked(&service, USERS).await?;
        row.count(&answers);
        without.extend(answers.traces);
        wire.set(Mode::Pass).await?;
        let again = uses_its_cache(&service, receiver).await;
        row.promise(again.is_ok(), || format!("no cache after {mode:?}"));
    }
    let received = finish(service, receiver, row).await?;
    let failed = row.failed;
    row.promise(failed == 0, || {
        format!("{failed} requests failed for want of a cache")
    });
    let traces = whole(&received, &without, row);
    let marked = |spans: &&Vec<&Span>| {
        let mut results = spans.iter().filter_map(|span| span.string("cache.result"));
        results.any(|result| result == "unavailable")
    };
    let (marked, all) = (traces.values().filter(marked).count(), without.len());
    row.promise(marked == all, || {
        format!("{all} requests had no cache, and {marked} say so")
    });
    Ok(())
}

/// 502 where it cannot be reached, 504 where it is silent; nobody else is held up.
pub(super) async fn upstream(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    let upstream = Upstream::start().await?;
    let mut wire = Proxy::start(upstream.address()).await?;
    let url = format!("http://{}/", wire.address());
    let settings = [("UPSTREAM_URL", &*url), ("UPSTREAM_TIMEOUT", "2s")];
    let service = started(rig, receiver, &settings).await?;
    row.count(&asked(&service, CALLS).await?);
    let mut without = Vec::new();
    for (mode, status) in [(Mode::Refuse, 502), (Mode::Reset, 502), (Mode::Silent, 504)] {
        wire.set(mode).await?;
        let (called, others) = tokio::join!(asked(&service, CALLS), asked(&service, FEW));
        let (called, others) = (called?, others?);
        row.count(&others);
        row.requests += CALLS.requests;
        row.promise(called.with(status) == CALLS.requests, || {
            format!("{mode:?} makes {:?}, not {status}", called.statuses)
        });
        without.extend(called.traces);
        wire.set(Mode::Pass).await?;
        row.count(&asked(&service, CALLS).await?);
    }
    let received = finish(service, receiver, row).await?;
    let failed = row.failed;
    row.promise(failed == 0, || {
        format!("{failed} requests failed that called nobody, or somebody who was there")
    });
    let traces = whole(&received, &without, row);
    let marked = |spans: &&Vec<&Span>| {
        let mut calls = spans.iter().filter(|span| span.kind == Kind::Client);
        calls.clone().count() > 0 && calls.all(|span| span.string("error.type").is_some())
    };
    let (marked, all) = (traces.values().filter(marked).count(), without.len());
    row.promise(marked == all, || {
        format!("{all} calls failed, and {marked} traces say so")
    });
    Ok(())
}

/// Asks until an answer comes out of the cache.
async fn uses_its_cache(service: &Service, receiver: &Receiver) -> Result<()> {
    let asking = async {
        loop {
            let Answers { traces, .. } = asked(service, ONE_USER).await?;
            let result = |received: &Received| {
                let spans = received.spans.iter();
                let mut own = spans.filter(|span| traces.contains(&span.trace_id));
                own.find_map(|span| span.string("cache.result").map(str::to_owned))
            };
            let said = |received: &Received| result(received).is_some();
            let what = "what the cache said";
            receiver.store().wait_for(what, DEADLINE, said).await?;
            if result(&receiver.store().snapshot()).as_deref() == Some("hit") {
                return anyhow::Ok(());
            }
        }
    };
    match timeout(DEADLINE, asking).await {
        Ok(used) => used,
        Err(_) => bail!("the cache was not used in {DEADLINE:?}"),
    }
}

async fn finish(service: Service, receiver: &Receiver, row: &mut Row) -> Result<Received> {
    let ended = stop(service, row).await?;
    let received = receiver.store().snapshot();
    row.received = distinct(&received);
    row.lost = last_words(&ended.lines, "spans")?.map_or(0, |(lost, _)| lost);
    row.ended = row.received + row.lost;
    let lost = row.lost;
    row.promise(lost == 0, || format!("{lost} spans were lost"));
    Ok(received)
}

/// The spans of each of `traces`: there is one of a server, and whose parent is told is there as well.
fn whole<'a>(
    received: &'a Received,
    traces: &[String],
    row: &mut Row,
) -> BTreeMap<&'a str, Vec<&'a Span>> {
    let wanted: BTreeSet<&str> = traces.iter().map(String::as_str).collect();
    let mut found: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in &received.spans {
        if wanted.contains(span.trace_id.as_str()) {
            found.entry(&span.trace_id).or_default().push(span);
        }
    }
    let is_whole = |spans: &&Vec<&Span>| {
        let servers = spans.iter().filter(|span| span.kind == Kind::Server);
        let ids: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
        let mut parents = spans.iter().filter_map(|span| span.parent.as_deref());
        servers.count() == 1 && parents.all(|parent| ids.contains(parent))
    };
    let (all, there) = (wanted.len(), found.values().filter(is_whole).count());
    row.promise(all > 0 && there == all, || {
        format!("of {all} traces {there} are whole")
    });
    found
}

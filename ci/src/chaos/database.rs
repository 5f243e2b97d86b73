//! A database that is cut off and comes back: the service says so, nobody hangs, and it recovers by itself.

use std::net::ToSocketAddrs as _;

use anyhow::{Context as _, Result, bail};

use super::collector::asked;
use super::load::Load;
use super::proxy::{Mode, Proxy};
use super::service::{started, stop};
use super::{DEADLINE, FEW, Rig, Row, distinct};
use crate::receiver::Receiver;
use crate::service::Service;

const VARIABLE: &str = "DATABASE_URL";

pub(super) async fn cut_off(rig: &Rig, receiver: &Receiver, row: &mut Row) -> Result<()> {
    let (mut wire, url) = wired(rig, VARIABLE).await?;
    let settings = [(VARIABLE, &*url), ("DATABASE_TIMEOUT", "3s")];
    let service = started(rig, receiver, &settings).await?;
    row.count(&asked(&service, FEW).await?);
    let ready = readiness(&service, 200).await;
    row.promise(ready.is_ok(), || "it is not ready to begin with".into());

    for mode in [Mode::Refuse, Mode::Reset] {
        wire.set(mode).await?;
        let refused = asked(&service, FEW).await?;
        let well = refused.with(200);
        let hung = refused.cut + refused.unsent;
        row.promise(hung == 0, || {
            format!("{hung} requests hang while it is cut off")
        });
        row.promise(well == 0, || {
            format!("{well} requests do without a database")
        });
        let unready = readiness(&service, 503).await;
        row.promise(unready.is_ok(), || {
            "it says that it is ready without a database".into()
        });
        wire.set(Mode::Pass).await?;
        let again = readiness(&service, 200).await;
        row.promise(again.is_ok(), || "it is not ready again".into());
        row.count(&asked(&service, FEW).await?);
    }
    let failed = row.failed;
    row.promise(failed == 0, || {
        format!("{failed} requests failed while the database was there")
    });
    let ended = stop(service, row).await?;
    row.received = distinct(&receiver.store().snapshot());
    row.lost = super::last_words(&ended.lines, "spans")?.map_or(0, |(lost, _)| lost);
    row.ended = row.received + row.lost;
    Ok(())
}

/// A wire to the server that `variable` names for this rig, and the value by which a service uses it.
pub(super) async fn wired(rig: &Rig, variable: &str) -> Result<(Proxy, String)> {
    let fresh = rig.fresh.as_ref().context("a database of its own")?;
    let environment = fresh.environment();
    let url = environment.get(variable).context(variable.to_owned())?;
    let (before, rest) = url.rsplit_once('@').context("a URL with a user")?;
    let (host, path) = rest.split_once('/').context("a URL with a database")?;
    let server = host.to_socket_addrs()?.next().context("no such host")?;
    let wire = Proxy::start(server).await?;
    let url = format!("{before}@{}/{path}", wire.address());
    Ok((wire, url))
}

/// Asks until `/readyz` answers with `status`. Each answer takes its time, so this is no busy loop for long.
async fn readiness(service: &Service, status: u16) -> Result<()> {
    let load = Load {
        targets: &["/readyz"],
        requests: 1,
        concurrency: 1,
    };
    let asking = async {
        while asked(service, load).await?.with(status) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(answered) => answered,
        Err(_) => bail!("/readyz did not answer with {status} in {DEADLINE:?}"),
    }
}

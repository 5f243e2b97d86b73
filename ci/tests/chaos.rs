//! A handful of the faults of `cargo run -- chaos` on the default stack: the rest is that command's.

use std::future::Future;

use anyhow::Result;
use ci::chaos::{FAULTS, Protocol, Rig, Row, STORIES};
use ci::stacks;
use tokio::sync::OnceCell;

/// Enough to fill a queue of 2048 spans, and the exports that are under way beside it.
const REQUESTS: usize = 2000;

/// The default stack, built once and looked at while all is well.
async fn rig() -> &'static Rig {
    static RIG: OnceCell<Rig> = OnceCell::const_new();
    let make = || async {
        let (rig, row) = Rig::new(&stacks::default().unwrap(), REQUESTS, &mut |_| ())
            .await
            .unwrap();
        assert_eq!(row.broken, [""; 0], "{row:#?}");
        rig
    };
    RIG.get_or_init(make).await
}

async fn holds(row: impl Future<Output = Result<Row>>) {
    let row = row.await.unwrap();
    assert_eq!(row.broken, [""; 0], "{row:#?}");
}

async fn collector(fault: &str, protocol: Protocol) {
    let fault = FAULTS.iter().find(|known| known.name == fault).unwrap();
    holds(fault.try_out(rig().await, protocol)).await;
}

/// One after the other: each is a load.
#[tokio::test(flavor = "multi_thread")]
async fn telemetry_never_hurts_the_service() {
    collector("absent", Protocol::Grpc).await;
    collector("silent", Protocol::Http).await;
    collector("exhausted, come again", Protocol::Http).await;
    collector("takes a part", Protocol::Grpc).await;
    collector("restarts", Protocol::Grpc).await;
    for story in STORIES.iter().filter(|story| story.is_quick()) {
        holds(story.try_out(rig().await)).await;
    }
}

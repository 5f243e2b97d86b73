use std::{collections::BTreeMap, time::Duration};

use super::{
    super::backend::testing::{DUPLICATE, FIND, INSERT},
    rig::Rig,
};

const MAIN: &str = "db.client.connection.pool.name=main";

#[tokio::test]
async fn durations_count_by_summary_and_error() {
    let rig = Rig::new(1).await;
    for _ in 0..2 {
        let _ = sqlx::query(INSERT)
            .bind(1)
            .bind("secret")
            .execute(&rig.pool)
            .await;
    }
    let counts = &rig.collect()["db.client.operation.duration"];
    let fine = rig.attributes(&[("db.query.summary", "INSERT users")]);
    let failed = rig.attributes(&[
        ("db.query.summary", "INSERT users"),
        ("db.response.status_code", DUPLICATE),
        ("error.type", DUPLICATE),
    ]);
    assert_eq!(*counts, BTreeMap::from([(failed, 1), (fine, 1)]));
}

#[tokio::test]
async fn returned_rows_are_counted_whatever_way_they_come() {
    let rig = Rig::new(1).await;
    for id in 1..=3 {
        let insert = sqlx::query(INSERT).bind(id).bind("name");
        insert.execute(&rig.pool).await.expect("inserted");
    }
    let failed = sqlx::query(INSERT).bind(1).bind("name");
    assert!(failed.execute(&rig.pool).await.is_err());
    let query = || sqlx::query(FIND).bind(1);
    query().fetch_one(&rig.pool).await.expect("a row");
    let missing = sqlx::query(FIND).bind(9).fetch_optional(&rig.pool).await;
    assert!(missing.expect("no failure").is_none());
    let all = "SELECT id FROM users";
    let mut lease = rig.pool.acquire().await.expect("a connection");
    let rows = sqlx::query(all).fetch_all(&mut lease).await;
    assert_eq!(rows.expect("rows").len(), 3);
    drop(lease);

    let rows = &rig.collect()["db.client.response.returned_rows"];
    let of = |summary| rig.attributes(&[("db.query.summary", summary)]);
    // One by its id, three of all.
    let expected = [(of("INSERT users"), 0), (of("SELECT users"), 4)];
    assert_eq!(*rows, BTreeMap::from(expected));
}

#[tokio::test]
async fn the_pool_reports_itself_until_it_is_closed() {
    let rig = Rig::new(2).await;
    let held = rig.pool.acquire().await.expect("a connection");
    sqlx::query("SELECT 1")
        .execute(&rig.pool)
        .await
        .expect("ran");
    let at_rest = async {
        while rig.pool.inner().num_idle() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), at_rest)
        .await
        .expect("the connection came back");

    let found = rig.collect();
    let value = |name: &str, attributes: &str| {
        found
            .get(name)
            .and_then(|points| points.get(attributes))
            .copied()
    };
    let count = |state: &str| {
        value(
            "db.client.connection.count",
            &format!("{MAIN} db.client.connection.state={state}"),
        )
    };
    assert_eq!((count("idle"), count("used")), (Some(1), Some(1)));
    assert_eq!(value("db.client.connection.max", MAIN), Some(2));
    assert_eq!(value("db.client.connection.idle.max", MAIN), Some(2));
    assert_eq!(value("db.client.connection.idle.min", MAIN), Some(0));
    assert_eq!(
        value("db.client.connection.pending_requests", MAIN),
        Some(0)
    );
    assert_eq!(value("db.client.connection.timeouts", MAIN), Some(0));
    assert_eq!(value("db.client.connection.wait_time", MAIN), Some(2));
    assert_eq!(
        value("db.client.connection.use_time", MAIN),
        Some(1),
        "one is still in use"
    );

    drop(held);
    rig.pool.close().await;
    let found = rig.collect();
    let points = found
        .get("db.client.connection.count")
        .map_or(0, BTreeMap::len);
    assert_eq!(points, 0, "{found:?}");
}

#[tokio::test]
async fn waiting_is_counted_and_timing_out_too() {
    let rig = Rig::impatient().await;
    let _held = rig.pool.acquire().await.expect("a connection");
    let waiting = tokio::spawn({
        let pool = rig.pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    while rig.collect()["db.client.connection.pending_requests"][MAIN] == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waiting.await.expect("joined").expect_err("no connection");
    let found = rig.collect();
    assert_eq!(found["db.client.connection.pending_requests"][MAIN], 0);
    assert_eq!(found["db.client.connection.timeouts"][MAIN], 1);
    assert_eq!(
        found["db.client.connection.wait_time"][MAIN], 1,
        "only what was waited for with success"
    );
}

#[tokio::test]
async fn a_pool_that_is_gone_is_neither_kept_nor_reported() {
    let rig = Rig::new(1).await;
    let weak = std::sync::Arc::downgrade(&rig.pool.shared);
    let Rig { pool, .. } = rig;
    drop(pool);
    assert!(weak.upgrade().is_none());
}

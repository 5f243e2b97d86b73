use redis::AsyncCommands as _;

use super::rig::{CANARY, Rig, key};

#[tokio::test]
async fn durations_count_by_operation_and_error() {
    let mut rig = Rig::new().await;
    let key = key();
    for _ in 0..2 {
        let () = rig.connection.set(&key, CANARY).await.expect("kept");
    }
    rig.connection
        .llen::<_, i64>(&key)
        .await
        .expect_err("no list");
    let mut pipeline = redis::pipe();
    pipeline.get(&key).del(&key);
    let () = pipeline
        .query_async(&mut rig.connection)
        .await
        .expect("answered");

    let set = rig.expected([("db.operation.name", "SET")]);
    let both = rig.expected([("db.operation.name", "PIPELINE")]);
    let failed = rig.expected([
        ("db.operation.name", "LLEN"),
        ("db.response.status_code", "WRONGTYPE"),
        ("error.type", "WRONGTYPE"),
    ]);
    let expected = [(set, 2), (both, 1), (failed, 1)].into();
    assert_eq!(rig.durations(), expected);
}

#[tokio::test]
async fn nothing_is_measured_of_what_never_ran() {
    let mut rig = Rig::new().await;
    drop(rig.connection.get::<_, Option<String>>(key()));
    assert_eq!((rig.spans().len(), rig.durations().len()), (0, 0));
}

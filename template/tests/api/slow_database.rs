//! A database that takes longer than anyone can wait.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use sqlx::Connection as _;
use telemetry::testing::{Trace, attribute};
use tokio::{task::JoinSet, time::timeout};

use crate::app::{App, Reply};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

fn add_mary(app: &App, trace: &Trace) -> RequestBuilder {
    let mary = json!({ "name": "Mary", "email": "mary@example.com" });
    app.request(trace, Method::POST, "/users").json(&mary)
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up() {
    let app = App::start_with(&["--database-statement-timeout=1s"]).await;
    let (lock, trace) = (app.database.lock_users().await, Trace::new());

    let reply = Reply::to(add_mary(&app, &trace)).await;

    assert_eq!(reply.problem(503, &trace), "the database took too long");
    assert_eq!(reply.header("retry-after"), "1");
    let tree = trace.tree().await;
    let start = "SERVER POST /users ERROR database_timeout\n  CLIENT INSERT users ERROR ";
    assert!(tree.starts_with(start), "{tree}");
    let insert = trace.span("INSERT users").await;
    let code = attribute(&insert, "db.response.status_code");
    assert!(code.is_some(), "the database itself gave up");

    lock.close().await.expect("the lock is given back");
    assert_eq!(Reply::to(add_mary(&app, &trace)).await.status, 201);
}

#[tokio::test]
async fn a_pool_that_runs_dry_holds_no_request_for_long() {
    let app = App::start_with(&[
        "--database-max-connections=1",
        "--database-timeout=3s",
        "--database-statement-timeout=1m",
    ])
    .await;
    let traces = [Trace::new(), Trace::new()];
    let lock = app.database.lock_users().await;
    let mut requests = JoinSet::new();
    for (nth, trace) in traces.iter().enumerate() {
        let request = add_mary(&app, trace);
        requests.spawn(async move { (nth, Reply::to(request).await) });
    }

    // Whichever came first has the one connection and waits for the lock; the other waits for the connection.
    let refused = timeout(SOON, requests.join_next()).await;
    let refused = refused.expect("one is refused soon").expect("of two");
    let (nth, reply) = refused.expect("no panic");

    let detail = reply.problem(503, &traces[nth]);
    assert_eq!(detail, "the database is not available");
    assert_eq!(reply.header("retry-after"), "1");
    let tree = traces[nth].tree().await;
    assert!(tree.ends_with(" ERROR pool_timed_out\n"), "{tree}");

    lock.close().await.expect("the lock is given back");
    let held = timeout(SOON, requests.join_next()).await;
    let held = held.expect("it is answered").expect("the other");
    assert_eq!(held.expect("no panic").1.status, 201);
    assert_eq!(app.get(&Trace::new(), "/users/999").await.status, 404);
}

//! A database that takes longer than anyone can wait.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use sqlx::Connection as _;
use telemetry::testing::{Trace, attribute};
use tokio::time::timeout;

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
    let (lock, trace) = (app.database.lock_users().await, Trace::new());
    let held = tokio::spawn(Reply::to(add_mary(&app, &trace)));

    let refused = async {
        loop {
            let trace = Trace::new();
            let reply = app.get(&trace, "/users/999").await;
            if reply.status != 404 {
                return (reply, trace);
            }
        }
    };
    let refused = timeout(SOON, refused).await;
    let (reply, trace) = refused.expect("the one connection is in use soon");

    let detail = reply.problem(503, &trace);
    assert_eq!(detail, "the database is not available");
    assert_eq!(reply.header("retry-after"), "1");
    let tree = trace.tree().await;
    let end = "CLIENT SELECT users ERROR pool_timed_out\n";
    assert!(tree.ends_with(end), "{tree}");

    lock.close().await.expect("the lock is given back");
    let held = timeout(SOON, held).await.expect("it is answered");
    assert_eq!(held.expect("no panic").status, 201);
    assert_eq!(app.get(&Trace::new(), "/users/999").await.status, 404);
}

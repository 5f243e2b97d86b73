//! What a request sets off, and nobody waits for.

use reqwest::Method;
use serde_json::json;
use service::{jobs, state::AppState, stop::Stop};
use telemetry::testing::{Trace, attribute};

use crate::app::{App, Reply};

async fn create_user(app: &App, trace: &Trace) {
    let user = json!({ "name": "Katherine", "email": "katherine@example.com" });
    let post = app.request(trace, Method::POST, "/users");
    let post = post.header("x-session-id", "s-42").json(&user);
    assert_eq!(Reply::to(post).await.status, 201);
}

#[tokio::test]
async fn a_new_user_is_welcomed_in_the_trace_of_the_request() {
    let (app, trace) = (App::start().await, Trace::new());

    create_user(&app, &trace).await;

    let consumer = trace.span("process welcome").await;
    let tree = trace.tree().await;
    let job =
        "\n  PRODUCER send welcome\n    CONSUMER process welcome\n      INTERNAL db.get_user\n";
    assert!(tree.starts_with("SERVER POST /users\n"), "{tree}");
    assert!(tree.contains(job) && !tree.contains("ERROR"), "{tree}");
    let producer = trace.span("send welcome").await;
    let id = |span| attribute(span, "messaging.message.id").expect("an id");
    assert_eq!(id(&producer), id(&consumer));
    for span in trace.spans() {
        let session = attribute(&span, "session.id");
        assert_eq!(session.as_deref(), Some("s-42"), "{}", span.name);
    }
}

#[tokio::test]
async fn a_job_outlives_the_service_that_pushed_it() {
    let (config, app) = App::prepare(&["--jobs-in-process=false"]).await;
    let trace = Trace::new();
    let connect = async || {
        AppState::connect(&config)
            .await
            .expect("the service starts")
    };
    let state = connect().await;
    let app = app.serve(&config, state.clone()).await;
    create_user(&app, &trace).await;
    state.close().await;
    assert!(!trace.tree().await.contains("CONSUMER"));

    let state = connect().await;
    let (tell, stop) = Stop::by_hand();
    let worker = jobs::work(&config, state.clone(), &stop);
    let watcher = async {
        trace.span("process welcome").await;
        tell.send_replace(true);
    };
    let (worked, ()) = tokio::join!(worker, watcher);

    worked.expect("the worker drains");
    // Had the job come back, it would be run once more.
    state.close().await;
    let state = connect().await;
    let (tell, stop) = Stop::by_hand();
    let worker = jobs::work(&config, state, &stop);
    let nothing = async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        tell.send_replace(true);
    };
    let (worked, ()) = tokio::join!(worker, nothing);
    worked.expect("the worker drains");
    let runs = trace.spans();
    let runs = runs.iter().filter(|span| span.name == "process welcome");
    assert_eq!(runs.count(), 1);
}

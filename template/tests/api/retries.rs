//! Jobs that fail.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use service::{jobs, state::AppState, stop::Stop};
use telemetry::testing::{Trace, attribute};
use tokio::time::timeout;

use crate::{
    app::{App, Reply},
    queue,
};

#[tokio::test]
async fn a_job_that_fails_is_tried_again_in_a_linked_trace_and_given_up_in_the_end() {
    let (config, app) = App::prepare(&[
        "--jobs-in-process=false",
        "--jobs-max-attempts=2",
        "--jobs-backoff=0s",
    ])
    .await;
    let trace = Trace::new();
    let state = AppState::connect(&config)
        .await
        .expect("the service starts");
    let app = app.serve(&config, state.clone()).await;
    let user = json!({ "name": "Katherine", "email": "katherine@example.com" });
    let post = app.request(&trace, Method::POST, "/users").json(&user);
    assert_eq!(Reply::to(post).await.status, 201);
    app.database.execute("DROP TABLE users").await;

    let (tell, stop) = Stop::by_hand();
    let worker = jobs::work(&config, state, &stop);
    let watcher = async {
        let retry = trace.linked().await;
        let given_up = async { while queue::given_up(&app).await == 0 {} };
        let given_up = timeout(Duration::from_secs(20), given_up).await;
        given_up.expect("it stays in the queue, to be looked at");
        tell.send_replace(true);
        retry
    };
    let (worked, retry) = tokio::join!(worker, watcher);

    worked.expect("the worker drains");
    let first = trace.span("process welcome").await;
    let producer = trace.span("send welcome").await;
    assert_eq!(first.parent_span_id, producer.span_context.span_id());
    assert_eq!(retry.name, "process welcome");
    assert_ne!(retry.span_context.trace_id(), first.span_context.trace_id());
    assert_eq!(retry.links.len(), 1);
    let link = &retry.links.links[0].span_context;
    assert_eq!(link.trace_id(), producer.span_context.trace_id());
    assert_eq!(link.span_id(), producer.span_context.span_id());
    for (span, attempt) in [(&first, "1"), (&retry, "2")] {
        assert_eq!(attribute(span, "job.attempt").as_deref(), Some(attempt));
        assert_eq!(attribute(span, "error.type").as_deref(), Some("database"));
        // On record where it happened: on the span of the lookup.
        assert_eq!(span.events.len(), 0);
    }
    let exceptions: usize = trace.spans().iter().map(|span| span.events.len()).sum();
    assert_eq!(exceptions, 1);
}

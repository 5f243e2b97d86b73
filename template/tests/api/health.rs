use telemetry::testing::Trace;

use crate::app::App;

#[tokio::test]
async fn health_paths_answer_and_leave_no_trace() {
    let (app, trace) = (App::start().await, Trace::new());
    for path in ["/health", "/healthz"] {
        let reply = app.get(&trace, path).await;
        assert_eq!((reply.status, &reply.body["status"]), (200, &"ok".into()));
    }
    for path in ["/ready", "/readyz"] {
        let reply = app.get(&trace, path).await;
        assert_eq!(
            (reply.status, &reply.body["status"]),
            (200, &"ready".into())
        );
        assert_eq!(reply.header("traceresponse"), "");
    }
    // A traced request after them: had they left spans, these would have ended before.
    app.get(&trace, "/nowhere").await;
    assert_eq!(trace.tree().await, "SERVER GET\n");
}

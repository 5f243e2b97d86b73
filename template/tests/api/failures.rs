use telemetry::testing::Trace;

use crate::{app::App, database::NO_TABLE};

#[tokio::test]
async fn a_database_error_is_recorded_once_and_not_shown() {
    let (app, trace) = (App::start().await, Trace::new());
    app.database.execute("DROP TABLE users").await;

    let reply = app.get(&trace, "/users/1").await;

    assert_eq!(reply.problem(500, &trace), "");
    assert!(!reply.body.to_string().contains("users"), "{}", reply.body);
    // Between them there may be a look into a cache.
    let tree = trace.tree().await;
    let start = "SERVER GET /users/{id} ERROR database\n  INTERNAL db.get_user ERROR sqlx_core::error::Error\n";
    assert!(tree.starts_with(start), "{tree}");
    let end = format!("\n    CLIENT SELECT users ERROR {NO_TABLE}\n");
    assert!(tree.ends_with(&end), "{tree}");
    let exceptions: usize = trace.spans().iter().map(|span| span.events.len()).sum();
    assert_eq!(exceptions, 1);
}

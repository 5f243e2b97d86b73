use reqwest::Method;
use serde_json::json;
use telemetry::testing::{Trace, attribute};

use crate::app::{App, Reply};

#[tokio::test]
async fn a_user_is_found() {
    let (app, trace) = (App::start().await, Trace::new());

    let reply = app.get(&trace, "/users/1").await;

    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.body,
        json!({ "id": 1, "name": "Ada Lovelace", "email": "ada@example.com" })
    );
    assert_eq!(trace.tree().await, include_str!("first_trace.txt"));
    let span = trace.span("db.get_user").await;
    assert_eq!(attribute(&span, "user.id").as_deref(), Some("1"));
    assert_eq!(attribute(&span, "db.result").as_deref(), Some("found"));
}

#[tokio::test]
async fn a_user_that_is_not_there_is_no_error_of_ours() {
    let (app, trace) = (App::start().await, Trace::new());

    assert_eq!(
        app.get(&trace, "/users/999").await.problem(404, &trace),
        "no such user"
    );

    let span = trace.span("db.get_user").await;
    assert_eq!(attribute(&span, "db.result").as_deref(), Some("not_found"));
    let tree = trace.tree().await;
    assert!(!tree.contains("ERROR"), "{tree}");
}

#[tokio::test]
async fn an_id_that_is_no_number_is_refused() {
    let (app, trace) = (App::start().await, Trace::new());
    app.get(&trace, "/users/one").await.problem(400, &trace);
}

#[tokio::test]
async fn a_user_is_created_once() {
    let (app, trace) = (App::start().await, Trace::new());
    let linus = json!({ "name": "Linus", "email": "linus@example.com" });
    let post = || app.request(&trace, Method::POST, "/users").json(&linus);

    let created = Reply::to(post()).await;
    assert_eq!(created.status, 201);
    let location = format!("/users/{}", created.body["id"]);
    assert_eq!(created.header("location"), location);
    assert_eq!(app.get(&trace, &location).await.body["name"], "Linus");

    Reply::to(post()).await.problem(409, &trace);
}

#[tokio::test]
async fn bad_bodies_are_refused_each_for_its_reason() {
    let (app, trace) = (App::start().await, Trace::new());
    let post = || app.request(&trace, Method::POST, "/users");
    let json_text = |text: String| post().header("content-type", "application/json").body(text);

    let invalid = Reply::to(post().json(&json!({ "name": " ", "email": "nobody" }))).await;
    invalid.problem(422, &trace);
    assert_eq!(invalid.body["errors"][0]["field"], "name");
    assert_eq!(invalid.body["errors"][1]["field"], "email");

    for (name, email, field) in [
        ("A\0da", "ada@example.com", "name"),
        ("Ada", "a\0da@example.com", "email"),
    ] {
        let invalid = Reply::to(post().json(&json!({ "name": name, "email": email }))).await;
        invalid.problem(422, &trace);
        assert_eq!(invalid.body["errors"][0]["field"], field);
    }

    Reply::to(post().json(&json!({ "name": 1 })))
        .await
        .problem(422, &trace);
    Reply::to(json_text("{".to_owned()))
        .await
        .problem(400, &trace);
    Reply::to(post().body("name=x")).await.problem(415, &trace);
    Reply::to(json_text(format!("\"{}\"", "x".repeat(100_000))))
        .await
        .problem(413, &trace);
}

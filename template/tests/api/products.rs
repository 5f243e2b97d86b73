use telemetry::testing::{Trace, attribute};

use crate::app::App;

#[tokio::test]
async fn a_search_is_traced_with_its_query_and_result() {
    let (app, trace) = (App::start().await, Trace::new());

    let reply = app
        .get(&trace, "/products?q=LAMP&category=lighting&limit=2")
        .await;

    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["count"], 2);
    assert_eq!(reply.body["products"][0]["name"], "Desk lamp");
    let span = trace.span("product.search").await;
    assert_eq!(attribute(&span, "search.query").as_deref(), Some("LAMP"));
    assert_eq!(
        attribute(&span, "search.filters").as_deref(),
        Some("category=lighting,limit=2")
    );
    assert_eq!(
        attribute(&span, "search.result_count").as_deref(),
        Some("2")
    );
    let tree = trace.tree().await;
    let start = "SERVER GET /products\n  INTERNAL product.search\n";
    assert!(tree.starts_with(start), "{tree}");
}

#[tokio::test]
async fn a_search_for_nothing_finds_everything() {
    let (app, trace) = (App::start().await, Trace::new());
    assert_eq!(app.get(&trace, "/products").await.body["count"], 7);
    assert_eq!(
        app.get(&trace, "/products?q=nothing+of+this+name")
            .await
            .body["count"],
        0
    );
}

#[tokio::test]
async fn a_bad_limit_is_refused_with_what_is_allowed() {
    let (app, trace) = (App::start().await, Trace::new());
    for query in ["limit=0", "limit=101"] {
        let reply = app.get(&trace, &format!("/products?{query}")).await;
        assert_eq!(
            reply.problem(400, &trace),
            "limit must be 1 to 100",
            "{query}"
        );
    }
    for query in ["limit=x", "limit=-1", "limit=99999"] {
        app.get(&trace, &format!("/products?{query}"))
            .await
            .problem(400, &trace);
    }
}

/// PostgreSQL has no text with NUL in it: there it would be a failure of ours.
#[tokio::test]
async fn control_characters_are_refused() {
    let (app, trace) = (App::start().await, Trace::new());
    for query in ["q=%00", "category=a%7F", "q=%C2%85"] {
        let reply = app.get(&trace, &format!("/products?{query}")).await;
        let detail = reply.problem(400, &trace);
        assert_eq!(detail, "q and category must have no control characters");
    }
}

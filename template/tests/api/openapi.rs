//! The document is true: what it gives as an example is asked of the running service, and what comes back is what it says.

use reqwest::Method;
use serde_json::Value;
use service::{openapi, state::AppState};
use telemetry::testing::Trace;

use crate::app::{App, Reply};

fn document() -> Value {
    serde_json::from_str(openapi::document()).expect("JSON")
}

#[tokio::test]
async fn the_document_and_its_page_are_served_and_traced() {
    let (app, trace) = (App::start().await, Trace::new());

    let served = app.get(&trace, "/openapi.json").await;
    assert_eq!((served.status, &served.body), (200, &document()));
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(trace.tree().await, "SERVER GET /openapi.json\n");

    // No part of a release.
    if cfg!(debug_assertions) {
        let page = app.request(&Trace::new(), Method::GET, "/docs").send();
        let page = page.await.expect("an answer");
        assert_eq!(page.status(), 200);
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let html = page.text().await.expect("a body");
        assert!(!html.contains("://"), "it loads something from elsewhere");
    }
}

#[tokio::test]
async fn outside_of_development_there_is_no_page() {
    let (mut config, app) = App::prepare(&[]).await;
    // Only in development does a service make the tables that it finds missing.
    let state = AppState::connect(&config).await;
    state.expect("the service starts").close().await;
    config.environment = "production".to_owned();
    let state = AppState::connect(&config).await;
    let app = app.serve(&config, state.expect("it starts again")).await;
    let trace = Trace::new();
    app.get(&trace, "/docs").await.problem(404, &trace);
    assert_eq!(app.get(&trace, "/openapi.json").await.status, 200);
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let (app, document) = (App::start().await, document());
    let mut asked = 0;
    for (path, item) in object(&document["paths"]) {
        for (method, operation) in object(item) {
            let name = format!("{method} {path}");
            let reply = ask(&app, &document, method, path, operation).await;
            let response = &operation["responses"][reply.status.to_string()];
            assert!(!response.is_null(), "{name}: {reply:?}");
            let content = &response["content"][reply.header("content-type")];
            assert!(!content.is_null(), "{name}: {reply:?}");
            let faults = faults(&document, &content["schema"], &reply.body);
            assert!(faults.is_empty(), "{name}: {faults:?} {reply:?}");
            asked += 1;
        }
    }
    assert!(asked > 6, "{asked} operations");
}

fn object(value: &Value) -> &serde_json::Map<String, Value> {
    value.as_object().expect("an object")
}

/// Sends the operation's own examples.
async fn ask(app: &App, document: &Value, method: &str, path: &str, operation: &Value) -> Reply {
    let mut path = path.to_owned();
    let mut query = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolve(document, parameter);
        let name = parameter["name"].as_str().expect("a name");
        let example = match &parameter["example"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), &example),
            Some("query") => query.push(format!("{name}={example}")),
            _ => {}
        }
    }
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
    let path = format!("{path}?{}", query.join("&"));
    let mut request = app.request(&Trace::new(), method, &path);
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        request = request.json(&resolve(document, body)["example"]);
    }
    Reply::to(request).await
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let Some(reference) = schema["$ref"].as_str() else {
        return schema;
    };
    let pointer = reference.strip_prefix('#').expect("within the document");
    document.pointer(pointer).expect("it is there")
}

/// Where `value` is something else than the schema says. Stricter than the schema: nothing may be there that it does not name.
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let schema = resolve(document, schema);
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    if schema["type"] != kind {
        return vec![format!("{value} is no {}", schema["type"])];
    }
    let mut all = Vec::new();
    for item in value.as_array().into_iter().flatten() {
        all.extend(faults(document, &schema["items"], item));
    }
    for (name, property) in value.as_object().into_iter().flatten() {
        let named = &schema["properties"][name];
        let free = &schema["additionalProperties"];
        let schema = if named.is_null() { free } else { named };
        all.extend(faults(document, schema, property));
    }
    let required = schema["required"].as_array().into_iter().flatten();
    let missing = required.filter(|name| value.get(name.as_str().unwrap_or_default()).is_none());
    all.extend(missing.map(|name| format!("{name} is missing")));
    all
}

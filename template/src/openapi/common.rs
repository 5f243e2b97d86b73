//! What holds for every operation, so that no resource says it again: failures of our own, what a problem looks like, and
//! the headers of traces and sessions.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::json;
use utoipa::{
    ToSchema as _,
    openapi::{
        Content, Header, HeaderBuilder, Object, OpenApi, Ref, RefOr, Required, Response, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::problem::Problem;
use crate::error::PROBLEM_JSON;

/// Requests with this tag leave no trace, see TELEMETRY_EXCLUDED_PATHS.
pub(super) const HEALTH: &str = "health";

const FAILED: &str = "The service failed. What happened is in the trace of this id.";
const NOT_NOW: &str =
    "Something that the service needs is away or slow, or there are too many requests.";
const AFTER: &str = "After how many seconds to try again, where that is known.";
const SPAN: &str = "The trace and the server's span of this request.";
const SESSION: &str = "x-session-id";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub(super) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.headers = headers();
    let session = (SESSION.to_owned(), RefOr::T(session()));
    components.parameters.extend([session]);
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        operations
            .into_iter()
            .flatten()
            .for_each(complete_operation);
    }
}

fn complete_operation(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, description) in [("500", FAILED), ("503", NOT_NOW)] {
        let response = || Response::new(description).into();
        responses.entry(status.to_owned()).or_insert_with(response);
    }
    let mut tags = operation.tags.iter().flatten();
    let is_traced = tags.all(|tag| tag != HEALTH);
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            complete_response(status, response, is_traced);
        }
    }
    if is_traced {
        let parameters = operation.parameters.get_or_insert_default();
        let session = Ref::new(format!("#/components/parameters/{SESSION}"));
        parameters.push(RefOr::Ref(session));
    }
}

fn complete_response(status: &str, response: &mut Response, is_traced: bool) {
    if status >= "400" && response.content.is_empty() {
        let content = RefOr::T(problem(status));
        response.content.insert(PROBLEM_JSON.to_owned(), content);
    }
    let mut put = |name: &str| {
        let header = Ref::new(format!("#/components/headers/{name}"));
        response.headers.insert(name.to_owned(), RefOr::Ref(header));
    };
    if status == "503" {
        put("retry-after");
    }
    if is_traced {
        put("server-timing");
        put("traceresponse");
    }
}

/// The body of an error with this status.
fn problem(status: &str) -> Content {
    let status = status.parse().unwrap_or_default();
    let known = StatusCode::from_u16(status).unwrap_or_default();
    let mut content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    content.example = Some(json!({
        "type": "about:blank",
        "title": known.canonical_reason(),
        "status": status,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }));
    content
}

fn headers() -> BTreeMap<String, RefOr<Header>> {
    let timing = format!("traceparent;desc=\"{TRACEPARENT}\"");
    [
        ("retry-after", Type::Integer, AFTER, json!(1)),
        ("server-timing", Type::String, SPAN, json!(timing)),
        ("traceresponse", Type::String, SPAN, json!(TRACEPARENT)),
    ]
    .into_iter()
    .map(|(name, kind, description, example)| {
        let header = HeaderBuilder::new()
            .schema(Some(Object::with_type(kind)))
            .description(Some(description))
            .example(Some(example));
        (name.to_owned(), RefOr::T(header.build()))
    })
    .collect()
}

fn session() -> Parameter {
    let description = "The caller's session, put on every span and log record of this request. One that is too long or has \
        other characters than ids do is ignored.";
    ParameterBuilder::new()
        .name(SESSION)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(Object::with_type(Type::String)))
        .example(Some(json!("s-42")))
        .build()
}

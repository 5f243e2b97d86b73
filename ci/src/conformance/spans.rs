//! Spans: which rule they fall under, name, kind, status, and what their events say.

use super::condition::Facts;
use super::judge::{Evidence, judge_attributes};
use super::others::judge_event;
use super::registry::{NameRule, Registry, SpanRule, is_system};
use super::report::Report;
use crate::signals::{Kind, Span, Status, Value};

pub fn judge(span: &Span, evidence: &Evidence<'_>, registry: &Registry, report: &mut Report) {
    let Some(rule) = rule_of(span, registry) else {
        report.tally("span").signals += 1;
        let scope = &span.scope.name;
        report.violate(
            "span",
            &span.name,
            format!("a {} span of {scope} that no rule covers", span.kind),
        );
        return;
    };
    report.tally(&rule.id).signals += 1;
    let facts = Facts {
        failed: matches!(span.status, Status::Error(_)),
        cancelled: evidence.cancelled.contains(&span.trace_id),
        query_sent: evidence
            .queries
            .get(&span.trace_id)
            .copied()
            .filter(|_| span.kind == Kind::Server),
    };
    judge_attributes(
        &rule.row,
        &rule.id,
        &span.name,
        &span.attributes,
        &facts,
        registry,
        report,
    );
    let mut say = |what: String| report.violate(&rule.id, &span.name, what);
    form(span, &mut say);
    match rule.name {
        NameRule::Http => http(span, &mut say),
        NameRule::Database => database(span, &mut say),
        NameRule::Redis => redis(span, &mut say),
        NameRule::Rpc => super::rpc::judge(span, &mut say),
        NameRule::Messaging => messaging(span, &mut say),
        NameRule::Exact => {}
    }
    status(span, rule, &mut say);
    for event in span.events.iter() {
        judge_event(&event.name, &span.name, &event.attributes, registry, report);
    }
}

/// The rule that a span falls under.
pub fn rule_of<'a>(span: &Span, registry: &'a Registry) -> Option<&'a SpanRule> {
    registry
        .spans
        .iter()
        .filter(|rule| {
            rule.kind == span.kind && is_system(rule.system.as_deref(), &span.attributes)
        })
        .find(|rule| {
            let prefixed = |prefix: &String| {
                span.attributes
                    .keys()
                    .any(|key| key.starts_with(prefix.as_str()))
            };
            if rule.falls_under.is_empty() {
                rule.id == span.name
            } else {
                rule.falls_under.iter().any(prefixed)
            }
        })
}

/// What OTLP and the data model ask of every span.
fn form(span: &Span, say: &mut impl FnMut(String)) {
    for key in &span.duplicate_keys {
        say(format!("`{key}` was sent twice"));
    }
    if span.dropped > 0 {
        say(format!(
            "{} attributes, events or links were dropped",
            span.dropped
        ));
    }
    if span.end < span.start {
        say("it ends before it starts".to_owned());
    }
    if span.trace_id.len() != 32 || span.span_id.len() != 16 {
        say("its ids are malformed".to_owned());
    }
    if span.scope.name.is_empty() {
        say("its scope has no name".to_owned());
    }
    if span.status == Status::Ok {
        say("its status is Ok; success leaves it unset".to_owned());
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>
fn http(span: &Span, say: &mut impl FnMut(String)) {
    let method = match span.string("http.request.method") {
        Some("_OTHER") => "HTTP",
        Some(method) => method,
        None => return,
    };
    let target = span.string(if span.kind == Kind::Server {
        "http.route"
    } else {
        "url.template"
    });
    let expected = target.map_or_else(|| method.to_owned(), |target| format!("{method} {target}"));
    if span.name != expected {
        say(format!("its name is `{}`, not `{expected}`", span.name));
    }
    if span
        .string("http.request.method_original")
        .is_some_and(|original| original == method)
    {
        say("`http.request.method_original` repeats the method".to_owned());
    }
    if span
        .string("http.route")
        .is_some_and(|route| !route.starts_with('/'))
    {
        say("`http.route` is no path pattern".to_owned());
    }
    if span
        .string("url.path")
        .is_some_and(|path| path.contains('?'))
    {
        say("`url.path` holds a query".to_owned());
    }
    if let Some(status) = span
        .attributes
        .get("http.response.status_code")
        .and_then(Value::as_int)
        && !(100..600).contains(&status)
    {
        say(format!("`http.response.status_code` is {status}"));
    }
    if let Some(url) = span.string("url.full") {
        let authority = url
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split(['/', '?', '#']).next())
            .unwrap_or_default();
        if authority
            .rsplit_once('@')
            .is_some_and(|(user, _)| user != "REDACTED:REDACTED")
        {
            say("`url.full` holds credentials".to_owned());
        }
    }
    for key in ["url.full", "url.query"] {
        if let Some(secret) = span.string(key).and_then(unredacted) {
            say(format!(
                "`{key}` holds the value of `{secret}`, which must be REDACTED"
            ));
        }
    }
}

/// A query key that the conventions want redacted, and is not.
fn unredacted(url: &str) -> Option<&str> {
    const SECRET: [&str; 5] = [
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "sig",
        "X-Goog-Signature",
    ];
    let query = url.split_once('?').map_or(url, |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, value)| SECRET.contains(key) && *value != "REDACTED")
        .map(|(key, _)| key)
        .next()
}

/// <https://opentelemetry.io/docs/specs/semconv/db/database-spans/#name>
fn database(span: &Span, say: &mut impl FnMut(String)) {
    let attribute = |key| span.string(key);
    let target = attribute("db.collection.name")
        .or(attribute("db.stored_procedure.name"))
        .or(attribute("db.namespace"));
    let expected = match (
        attribute("db.query.summary"),
        attribute("db.operation.name"),
        target,
    ) {
        (Some(summary), _, _) => summary.to_owned(),
        (None, Some(operation), Some(target)) => format!("{operation} {target}"),
        (None, None, Some(target)) => target.to_owned(),
        (None, _, None) => attribute("db.system.name").unwrap_or_default().to_owned(),
    };
    if span.name != expected {
        say(format!("its name is `{}`, not `{expected}`", span.name));
    }
    code(span, say);
    // A parameterised text is sent as it is; one without placeholders must be sanitised.
    if attribute("db.query.text")
        .is_some_and(|text| text.contains('\'') && !text.contains(['?', '$']))
    {
        say("`db.query.text` holds a literal".to_owned());
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/db/redis/>
fn redis(span: &Span, say: &mut impl FnMut(String)) {
    let operation = span.string("db.operation.name").unwrap_or_default();
    if span.name != operation {
        say(format!("its name is `{}`, not `{operation}`", span.name));
    }
    code(span, say);
    // No argument is harmless, a key no more than a value.
    let is_name = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let commands = span.string("db.query.text").unwrap_or_default().split("; ");
    for command in commands {
        let mut words = command.split(' ');
        let name = words.next().unwrap_or_default();
        if !is_name(name) || words.any(|word| !["?", "..."].contains(&word)) {
            say("`db.query.text` holds an argument".to_owned());
        }
    }
    let is_batch = ["MULTI", "PIPELINE"].contains(&operation.split(' ').next().unwrap_or_default());
    let size = span
        .attributes
        .get("db.operation.batch.size")
        .and_then(Value::as_int);
    if size == Some(1) || is_batch != size.is_some() {
        say(format!(
            "`db.operation.batch.size` is {size:?} for `{operation}`"
        ));
    }
}

fn code(span: &Span, say: &mut impl FnMut(String)) {
    let code = span.string("db.response.status_code");
    if code.is_some_and(|code| span.string("error.type") != Some(code)) {
        say("`error.type` is not the database's code".to_owned());
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-name>
fn messaging(span: &Span, say: &mut impl FnMut(String)) {
    let attribute = |key| span.string(key).unwrap_or_default();
    let (operation, destination) = (
        attribute("messaging.operation.name"),
        attribute("messaging.destination.name"),
    );
    let expected = format!("{operation} {destination}");
    if span.name != expected {
        say(format!("its name is `{}`, not `{expected}`", span.name));
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/general/recording-errors/> and the rules of HTTP.
fn status(span: &Span, rule: &SpanRule, say: &mut impl FnMut(String)) {
    let error_type = span.string("error.type");
    let failed = matches!(span.status, Status::Error(_));
    let Some(code) = span
        .attributes
        .get("http.response.status_code")
        .and_then(Value::as_int)
    else {
        return;
    };
    let limit = if span.kind == Kind::Server { 500 } else { 400 };
    if failed && code < limit && error_type.is_none_or(|error| error == code.to_string()) {
        say(format!("its status is Error for a {code}"));
    }
    if !failed && code >= limit {
        say(format!("its status is not Error for a {code}"));
    }
    if let Status::Error(description) = &span.status
        && rule.name == NameRule::Http
        && description.contains(&code.to_string())
    {
        say("its status repeats the status code".to_owned());
    }
}

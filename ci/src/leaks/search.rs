//! Finds planted secrets, forged lines and the service's own insides in whatever came out.

use super::plant::BASIC;
use super::raw::Reply;
use super::{FORGED, MARK};
use crate::receiver::Received;
use crate::scenario::SECRET;

/// What a client has no business to know: libraries, languages, types, statements, places.
const INSIDES: [&str; 27] = [
    "actix", "axum", "hyper", "rocket", "salvo", "tonic", "tokio", "tower", "serde", "sqlx",
    "reqwest", "ureq", "apalis", "rust", "sqlite", "postgres", "mysql", "mariadb", "redis",
    "select ", "insert ", "struct ", "::", ".rs", "/src/", "panicked", "newuser",
];
/// Rust's names of numbers, as whole words.
const TYPES: [&str; 8] = ["i64", "i32", "u64", "u32", "u8", "usize", "f64", "str"];
/// Headers that tell with what an answer was made.
const TELLING: [&str; 4] = ["server:", "x-powered-by:", "via:", "x-runtime:"];

/// The secret in `text`, up to where it ends.
fn secret(text: &str) -> Option<&str> {
    if let Some(at) = text.find(MARK) {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        return Some(&rest[..end.unwrap_or(rest.len())]);
    }
    // In base64 the end depends on what follows.
    let basic = &BASIC[..BASIC.len() - 4];
    [SECRET, basic]
        .into_iter()
        .find(|known| text.contains(known))
}

/// One sentence for each place of an export that holds a secret.
pub(super) fn in_signals(received: &Received) -> Vec<String> {
    let mut found = Vec::new();
    // All there is of a signal, so that no field can be forgotten.
    let mut look = |kind: &str, name: &str, all: String| {
        if let Some(secret) = secret(&all) {
            found.push(format!(
                "{secret} is in {kind} {name}: {}",
                around(&all, secret)
            ));
        }
    };
    for span in &received.spans {
        look("span", &span.name, format!("{span:?}"));
    }
    for point in &received.metrics {
        look("metric", &point.name, format!("{point:?}"));
    }
    for log in &received.logs {
        look("log record", &log.event_name, format!("{log:?}"));
    }
    found.sort();
    found.dedup();
    found
}

/// Secrets on the console, forged lines, and what gives orders to a terminal.
pub(super) fn on_console(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines {
        if let Some(secret) = secret(line) {
            found.push(format!(
                "{secret} is on the console: {}",
                around(line, secret)
            ));
        }
        if line.trim_start().starts_with(FORGED) {
            found.push(format!("a line of the log is forged: {line:?}"));
        }
        if line.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)) {
            found.push(format!(
                "a line of the log gives orders to the terminal: {line:?}"
            ));
        }
    }
    found
}

/// What an answer says that it should not. The body of a good one is the client's own.
pub(super) fn in_answer(asked: &str, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    let head = reply.head.to_lowercase();
    let failed = reply.status.is_none_or(|status| status >= 400);
    let body = if failed { reply.body.as_str() } else { "" };
    for (place, text) in [("head", reply.head.as_str()), ("body", body)] {
        if let Some(secret) = secret(text) {
            found.push(format!(
                "{asked}: {secret} is in the answer's {place}: {text}"
            ));
        }
    }
    let lower = body.to_lowercase();
    let words = || lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let inside = INSIDES.iter().find(|inside| lower.contains(**inside));
    let inside = inside.or_else(|| TYPES.iter().find(|name| words().any(|word| word == **name)));
    if let Some(inside) = inside {
        found.push(format!("{asked}: the answer tells of `{inside}`: {body}"));
    }
    if let Some(header) = TELLING
        .iter()
        .find(|name| head.lines().any(|line| line.starts_with(**name)))
    {
        found.push(format!("{asked}: the answer has `{header}`"));
    }
    found
}

/// A little of `text` on both sides of `part`.
fn around<'a>(text: &'a str, part: &str) -> &'a str {
    const SIDE: usize = 160;
    let at = text.find(part).unwrap_or_default();
    let start = text[..at]
        .char_indices()
        .rev()
        .nth(SIDE)
        .map_or(0, |(at, _)| at);
    let rest = &text[at..];
    let end = rest
        .char_indices()
        .nth(part.len() + SIDE)
        .map_or(rest.len(), |(at, _)| at);
    &text[start..at + end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::plant;
    use crate::signals::samples;

    #[test]
    fn a_secret_is_found_wherever_it_is() {
        let clean = Received {
            spans: vec![samples::http_client()],
            metrics: vec![samples::duration()],
            logs: vec![samples::exception()],
            ..Received::default()
        };
        assert_eq!(in_signals(&clean), [""; 0]);
        let secret = plant::secret("here");
        let found = |spoil: &dyn Fn(&mut Received)| {
            let mut received = clean.clone();
            spoil(&mut received);
            in_signals(&received).len()
        };
        assert_eq!(found(&|all| all.spans[0].name.push_str(&secret)), 1);
        assert_eq!(found(&|all| all.spans[0].trace_state.push_str(SECRET)), 1);
        assert_eq!(found(&|all| all.metrics[0].unit.push_str(&secret)), 1);
        assert_eq!(found(&|all| all.logs[0].severity_text.push_str(BASIC)), 1);
    }

    #[test]
    fn a_line_is_judged_by_what_it_holds() {
        let found = |line: &str| on_console(&[line.to_owned()]).len();
        assert_eq!(found("12:00:00.000  INFO listening address=127.0.0.1:1"), 0);
        assert_eq!(found("password=c4n4ry-x"), 1);
        assert_eq!(found("FORGED 12:00:00.000 INFO nothing happened"), 1);
        assert_eq!(found("\u{1b}[2J"), 1);
    }

    #[test]
    fn an_answer_tells_nothing_of_the_service() {
        let found = |status, head: &str, body: &str| {
            let (head, body) = (head.to_owned(), body.to_owned());
            in_answer(
                "x",
                &Reply {
                    status: Some(status),
                    head,
                    body,
                },
            )
            .len()
        };
        assert_eq!(
            found(
                404,
                "HTTP/1.1 404 Not Found\r\ndate: x",
                "{\"detail\":\"no such user\"}"
            ),
            0
        );
        assert_eq!(
            found(201, "HTTP/1.1 201 Created", "{\"name\":\"c4n4ry-name\"}"),
            0
        );
        assert_eq!(
            found(
                422,
                "",
                "invalid type: integer `5`, expected struct NewUser"
            ),
            1
        );
        assert_eq!(found(400, "", "Cannot parse `one` to a `i64`"), 1);
        assert_eq!(found(200, "HTTP/1.1 200 OK\r\nServer: Rocket", ""), 1);
        assert_eq!(found(400, "", "c4n4ry-body"), 1);
    }
}

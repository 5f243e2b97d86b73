//! Values that differ from run to run, or from stack to stack, become names in angle brackets. Everything else is part of
//! the contract as it is.

use crate::signals::{Attributes, Value};

/// Attributes whose value is another one in every run.
const VARYING: &[&str] = &[
    "client.port",
    "code.line.number",
    "exception.stacktrace",
    "host.arch",
    "host.id",
    "host.name",
    "messaging.message.id",
    "network.local.port",
    "network.peer.port",
    "os.build_id",
    "os.description",
    "os.name",
    "os.type",
    "os.version",
    // Named after the transport, which another run of the same stack chooses otherwise.
    "otel.component.name",
    "otel.component.type",
    "process.command",
    "process.creation.time",
    "process.pid",
    "server.port",
    "service.instance.id",
    "service.name",
    "service.version",
    "telemetry.sdk.version",
];

/// Attributes whose value a stack chooses: the database, its dialect, its error codes.
const OF_THE_STACK: &[&str] = &[
    "db.client.connection.pool.name",
    "db.namespace",
    "db.query.text",
    "db.response.status_code",
    "db.system.name",
];

/// What a database behind a network has to tell, and one in the process has not. That it is told where it must be is for
/// `conformance` to say.
const OF_A_DATABASE_SERVER: &[&str] = &["server.address", "server.port"];

/// The attributes as the contract shows them.
pub fn attributes(all: &Attributes) -> impl Iterator<Item = (&str, String)> {
    let system = all.get("db.system.name").and_then(Value::as_str);
    let sql = matches!(system, Some("sqlite" | "postgresql" | "mysql"));
    all.iter()
        .filter(move |(key, _)| !(sql && OF_A_DATABASE_SERVER.contains(&key.as_str())))
        .map(|(key, value)| (key.as_str(), attribute(key, value, all)))
}

fn attribute(key: &str, value: &Value, all: &Attributes) -> String {
    let system = all.get("db.system.name").and_then(Value::as_str);
    let of_the_stack = match system {
        // The same in every stack that has it; only the number of its database is as it comes.
        Some("redis") => key == "db.namespace",
        // `error.type` of a database operation is the database's own code.
        Some(_) => OF_THE_STACK.contains(&key) || key == "error.type",
        None => OF_THE_STACK.contains(&key),
    };
    if VARYING.contains(&key) || of_the_stack {
        return format!("<{key}>");
    }
    text(&value.to_string())
}

/// Any text: ports of the loopback interface and line breaks go, long text is cut.
pub fn text(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("127.0.0.1:") {
        let end = at + "127.0.0.1:".len();
        shown.push_str(&rest[..end]);
        rest = &rest[end..];
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        if digits > 0 {
            shown.push_str("<port>");
        }
        rest = &rest[digits..];
    }
    shown.push_str(rest);
    // Only stacks that have the page with the last traces say where it is.
    let shown = shown.replace(", page http://127.0.0.1:<port>", "");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if shown.chars().count() > 160 {
        let cut: String = shown.chars().take(140).collect();
        return format!("{cut}… ({} characters)", text.chars().count());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_go() {
        assert_eq!(
            text("http://127.0.0.1:4317/x 127.0.0.1:1"),
            "http://127.0.0.1:<port>/x 127.0.0.1:<port>"
        );
        assert_eq!(text("127.0.0.1 and 127.0.0.1:"), "127.0.0.1 and 127.0.0.1:");
        assert_eq!(text("logs off, page http://127.0.0.1:4319"), "logs off");
    }

    #[test]
    fn redis_is_the_same_in_every_stack() {
        let redis = Attributes::from([("db.system.name".to_owned(), "redis".into())]);
        for (key, value, shown) in [
            ("db.system.name", "redis", "redis"),
            ("db.query.text", "GET ?", "GET ?"),
            ("error.type", "timeout", "timeout"),
            ("db.namespace", "3", "<db.namespace>"),
        ] {
            assert_eq!(attribute(key, &value.into(), &redis), shown);
        }
    }

    #[test]
    fn sql_databases_look_alike_wherever_they_are() {
        let keys = |system: &str| {
            let all = [("db.system.name", system), ("server.address", "::1")];
            let all = all.map(|(key, value)| (key.to_owned(), value.into()));
            attributes(&Attributes::from(all)).count()
        };
        assert_eq!(["sqlite", "postgresql", "redis"].map(keys), [1, 1, 2]);
    }

    #[test]
    fn only_a_database_chooses_its_error_type() {
        let database = Attributes::from([("db.system.name".to_owned(), "sqlite".into())]);
        assert_eq!(
            attribute("error.type", &"2067".into(), &database),
            "<error.type>"
        );
        assert_eq!(
            attribute("error.type", &"500".into(), &Attributes::new()),
            "500"
        );
        assert_eq!(
            attribute("http.route", &"/users/{id}".into(), &database),
            "/users/{id}"
        );
    }
}

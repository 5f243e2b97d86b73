//! Bad requests: none may be answered with a 5xx, tell of the service's insides, or give a secret back.

mod targets;

use super::plant::secret;
use super::raw::request;

/// A request by the name it is reported with.
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

pub(super) fn probes() -> Vec<Probe> {
    let all = [
        bodies(),
        kinds(),
        targets::targets(),
        methods(),
        headers(),
        no_http(),
    ];
    all.into_iter().flatten().collect()
}

fn probe(name: impl Into<String>, bytes: Vec<u8>) -> Probe {
    let name = name.into();
    Probe { name, bytes }
}

fn post(name: &str, kind: &str, body: &[u8]) -> Probe {
    let bytes = request("POST", "/users", &[("content-type", kind)], body);
    probe(format!("POST /users {name}"), bytes)
}

/// What is no user.
fn bodies() -> Vec<Probe> {
    let (name, email) = (
        secret("body-name"),
        format!("{}@example.com", secret("body-email")),
    );
    let whole = format!(r#"{{"name":"{name}","email":"{email}"}}"#);
    let texts = [
        String::new(),
        " ".to_owned(),
        "{".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        "5".to_owned(),
        "1e999".to_owned(),
        "-".to_owned(),
        "NaN".to_owned(),
        name.clone(),
        format!("\"{name}\""),
        format!("'{name}'"),
        "[]".to_owned(),
        format!("[\"{name}\"]"),
        format!("[[\"{name}\"]]"),
        "{}".to_owned(),
        format!(r#"{{"name":"{name}"}}"#),
        format!(r#"{{"email":"{email}"}}"#),
        format!(r#"{{"name":5,"email":"{email}"}}"#),
        format!(r#"{{"name":"{name}","email":["{email}"]}}"#),
        format!(r#"{{"name":{{"{name}":1}},"email":null}}"#),
        format!(r#"{{"name":null,"email":"{email}"}}"#),
        format!(r#"{{"name":"{name}","name":"{name}","email":"{email}"}}"#),
        format!(r#"{{"name":"{name}","email":"{name}"}}"#),
        format!(r#"{{"name":"{name}","email":"@"}}"#),
        format!(r#"{{"name":"{}","email":"{email}"}}"#, name.repeat(20)),
        format!(r#"{{"name":"{name}","email":"{}@a"}}"#, name.repeat(20)),
        // What PostgreSQL cannot store, and what would begin another line.
        format!(r#"{{"name":"{name}\u0000","email":"{email}"}}"#),
        format!(r#"{{"name":"{name}\nFORGED","email":"{email}"}}"#),
        format!(r#"{{"name":"{name}\u001b[2J","email":"{email}"}}"#),
        format!(r#"{{"name":"{name}","email":"\u0000{email}"}}"#),
        format!(r#"{{"name":"{name}\ud800","email":"{email}"}}"#),
        format!("{whole}{whole}"),
        format!("\u{feff}{whole}"),
        whole[..whole.len() - 1].to_owned(),
        whole.replace(':', "="),
        whole.replace('"', "'"),
        whole.replacen('"', "", 1),
        format!("<user><name>{name}</name></user>"),
        format!("name={name}&email={email}"),
        "[".repeat(5_000),
        r#"{"a":"#.repeat(5_000),
        "9".repeat(60_000),
        format!("\"{}", "\\".repeat(60_001)),
        " ".repeat(70_000),
    ];
    let mut probes: Vec<_> = texts
        .iter()
        .map(|text| {
            post(
                &text.chars().take(60).collect::<String>(),
                "application/json",
                text.as_bytes(),
            )
        })
        .collect();
    let mut latin = whole.clone().into_bytes();
    latin.insert(9, 0xff);
    probes.push(post("not UTF-8", "application/json", &latin));
    probes.push(post("binary", "application/json", &[0, 159, 146, 150]));
    probes
}

/// A user, but not said to be JSON; and JSON that is longer or shorter than it is said to be.
fn kinds() -> Vec<Probe> {
    let body = format!(r#"{{"name":"{}","email":"@"}}"#, secret("kind"));
    let body = body.as_bytes();
    let kinds = [
        "",
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "json",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "*/*",
        "application/",
        "/",
        ";",
    ];
    let mut probes: Vec<_> = kinds
        .iter()
        .map(|kind| post(&format!("as {kind:?}"), kind, body))
        .collect();
    for headers in [
        &[
            ("content-type", "application/json"),
            ("content-length", "-1"),
        ][..],
        &[
            ("content-type", "application/json"),
            ("content-length", "1"),
        ],
        &[
            ("content-type", "application/json"),
            ("content-length", "99999999999999999999"),
        ],
        &[
            ("content-type", "application/json"),
            ("transfer-encoding", "chunked"),
        ],
        &[
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ],
        &[
            ("content-type", "application/json"),
            ("transfer-encoding", "chunked"),
            ("content-length", "4"),
        ],
    ] {
        probes.push(probe(
            format!("POST /users {headers:?}"),
            request("POST", "/users", headers, body),
        ));
    }
    probes
}

fn methods() -> Vec<Probe> {
    let mut probes = Vec::new();
    for method in [
        "get", "Get", "FROB", "PROPFIND", "TRACE", "OPTIONS", "CONNECT", "PUT", "PATCH", "DELETE",
        "HEAD", "G", "GET-", "QUERY",
    ] {
        for target in ["/users/1", "/products", "/nowhere"] {
            probes.push(probe(
                format!("{method} {target}"),
                request(method, target, &[], b""),
            ));
        }
    }
    probes
}

/// Headers that telemetry reads, and those that tell servers what to do.
fn headers() -> Vec<Probe> {
    let long = "a".repeat(9_000);
    let many = "k=v,".repeat(2_000);
    let userinfo = format!("user:{}@a.example", secret("host"));
    let headers: Vec<(&str, &str)> = vec![
        ("traceparent", "00"),
        (
            "traceparent",
            "00-00000000000000000000000000000000-0000000000000000-00",
        ),
        (
            "traceparent",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        (
            "traceparent",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ),
        ("traceparent", "\u{e9}"),
        ("traceparent", &long),
        ("tracestate", &many),
        ("tracestate", "=,=,="),
        ("tracestate", &long),
        ("baggage", &many),
        ("baggage", &long),
        ("baggage", "a=%00,b=%0aFORGED"),
        ("baggage", "session.id=%1b%5b2J"),
        ("x-session-id", ""),
        ("x-session-id", " "),
        ("x-session-id", "\u{9b}31m"),
        ("x-session-id", "a\tb"),
        ("x-session-id", &long),
        ("x-session-id", "<script>"),
        ("x-session-id", "\u{202e}"),
        ("user-agent", ""),
        ("user-agent", "\u{9b}31m"),
        ("user-agent", &long),
        ("host", ""),
        ("host", "a b"),
        ("host", "a.example:99999"),
        ("host", "[::1"),
        ("host", "/"),
        ("host", &userinfo),
        ("host", &long),
        ("x-forwarded-for", "1.2.3.4, \u{9b}"),
        ("forwarded", "for=\"_x\";host=evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-http-method-override", "DELETE"),
        ("range", "bytes=0-0,-1"),
        ("accept", "*/*;q=\u{e9}"),
        ("accept-encoding", "gzip;q=9"),
        ("if-none-match", "*"),
        ("expect", "200-ok"),
        ("upgrade", "h2c"),
        ("te", "x"),
        ("content-length", "x"),
        ("transfer-encoding", "identity"),
        ("connection", "\u{e9}"),
        ("cookie", "=;=;"),
        ("authorization", "\u{e9}"),
    ];
    let get = |(name, value): &(&str, &str)| {
        let shown: String = value.chars().take(60).collect();
        probe(
            format!("GET /users/one with {name}: {shown}"),
            request("GET", "/users/one", &[(name, value)], b""),
        )
    };
    headers.iter().map(get).collect()
}

/// What is no request at all.
fn no_http() -> Vec<Probe> {
    let texts: [&[u8]; 17] = [
        b"",
        b"\r\n\r\n",
        b"\n",
        b"GET",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: \x1b[2J\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
        b"GET /a\x00b HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /\x1b[2J HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff",
        b"\xff\xfe\xfd",
    ];
    let mut probes: Vec<_> = texts
        .iter()
        .map(|text| {
            probe(
                format!("{:?}", text.escape_ascii().to_string()),
                text.to_vec(),
            )
        })
        .collect();
    let many: String = (0..2_000).map(|nth| format!("x{nth}: y\r\n")).collect();
    probes.push(probe(
        "2000 headers",
        format!("GET / HTTP/1.1\r\nconnection: close\r\n{many}\r\n").into_bytes(),
    ));
    probes
}

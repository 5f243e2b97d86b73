//! As much of HTTP/1.1 as one page needs: `GET`, one request a connection.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

const PAGE: &str = include_str!("page.html");

const MAX_HEAD: usize = 16 * 1024;
/// A browser opens connections that it may never use: each holds a thread for a while.
const THREADS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) enum Answer {
    Page,
    Json(String),
    /// Nothing new.
    Nothing,
    Unknown,
}

/// Answers requests for `listener` by their target, on threads of its own.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn serve(
    listener: TcpListener,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    let shared = Arc::new((listener, answer));
    for _ in 0..THREADS {
        let shared = shared.clone();
        let work = move || {
            for stream in shared.0.incoming().flatten() {
                // A browser that went away is of no interest.
                let _ = converse(stream, &shared.1);
            }
        };
        let thread = thread::Builder::new().name("trace-page".to_owned());
        thread.spawn(work)?;
    }
    Ok(())
}

fn converse(mut stream: TcpStream, answer: &dyn Fn(&str) -> Answer) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut part = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            _ if head.len() > MAX_HEAD => return Ok(()),
            read => head.extend_from_slice(&part[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let response = match Request::parse(&head) {
        Some(request) if !is_this_machine(request.host) => plain(
            "403 Forbidden",
            "This page answers to 127.0.0.1 and localhost only.\n",
        ),
        Some(request) if request.method != "GET" => plain("405 Method Not Allowed", "GET only.\n"),
        Some(request) => respond(answer(request.target)),
        None => plain("400 Bad Request", "This is not HTTP.\n"),
    };
    stream.write_all(response.as_bytes())
}

struct Request<'a> {
    method: &'a str,
    target: &'a str,
    host: &'a str,
}

impl<'a> Request<'a> {
    fn parse(head: &'a str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = lines.filter_map(|line| line.split_once(':'));
        let host = headers.find(|(name, _)| name.eq_ignore_ascii_case("host"));
        Some(Self {
            method,
            target,
            host: host.map_or("", |(_, value)| value.trim()),
        })
    }
}

/// A page of elsewhere can have its own name resolve to this address (DNS rebinding), and would read the traces. It cannot
/// make the browser say another name than its own.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn respond(answer: Answer) -> String {
    match answer {
        Answer::Page => {
            // Only this response's own script and style run.
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            let policy = format!(
                "Content-Security-Policy: default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
                 connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                 require-trusted-types-for 'script'; trusted-types 'none'\r\n"
            );
            let page = PAGE.replace("NONCE", &nonce);
            response("200 OK", "text/html", &policy, &page)
        }
        Answer::Json(json) => response("200 OK", "application/json", "", &json),
        Answer::Nothing => response("204 No Content", "text/plain", "", ""),
        Answer::Unknown => plain("404 Not Found", "There is nothing here.\n"),
    }
}

fn plain(status: &str, text: &str) -> String {
    response(status, "text/plain", "", text)
}

fn response(status: &str, media_type: &str, more: &str, body: &str) -> String {
    // A 204 has no length (RFC 9110, section 8.6).
    let length = if status.starts_with("204") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}; charset=utf-8\r\n{length}{more}Cache-Control: no-store\r\n\
         Connection: close\r\nCross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\n\r\n{body}"
    )
}

//! The list. A new step is one entry here and, after `bless`, one file in `ci/contract/`.

mod grpc;
mod jobs;
mod redis;

use super::{Leaves, Outcome, Parent, Part, Step};
use crate::client::Request;
use crate::upstream::Mode;

/// Is in every place whose content must never be exported: headers, bodies, bind values, credentials in URLs. No signal
/// may hold it.
pub const SECRET: &str = "s3cr3t-canary";

/// A session id as a browser would send it; on every request that does not test another.
pub const SESSION: &str = "session-0042";

/// More than the 8192 bytes that W3C Baggage allows.
const BAGGAGE_LIMIT: usize = 9_000;

/// All steps, in order. The last one is under way when the service is told to stop.
pub fn steps() -> Vec<Step> {
    [
        // First, since a database may give no id twice, and others do after an insertion that fails.
        jobs::jobs(),
        users(),
        redis::steps(),
        products(),
        routing(),
        health(),
        session(),
        propagation(),
        external(),
        grpc::grpc(),
        last(),
    ]
    .concat()
}

fn users() -> Vec<Step> {
    let account = format!(r#"{{"name":"Grace {SECRET}","email":"grace-{SECRET}@example.com"}}"#);
    let post = |name, body: &str| {
        Step::new(name, "POST", "/users")
            .header("content-type", "application/json")
            .body(body)
    };
    let get = |name, target| Step::new(name, "GET", target);
    vec![
        get("user-found", "/users/1")
            .varies(&[Part::Sql, Part::Redis])
            .short(),
        get("user-not-found", "/users/999999")
            .varies(&[Part::Sql, Part::Redis])
            .status(404),
        get("user-bad-id", "/users/one").status(400),
        post("user-create", &account)
            .varies(&[Part::Sql, Part::Redis, Part::Jobs])
            .attempts(1)
            .status(201)
            .short(),
        post("user-create-duplicate", &account)
            .varies(&[Part::Sql])
            .status(409),
        post(
            "user-create-invalid",
            r#"{"name":"","email":"not an address"}"#,
        )
        .status(422),
        post("user-create-malformed", &account[..account.len() - 1]).status(400),
        post("user-create-wrong-type", &account)
            .replace_header("content-type", "text/plain")
            .status(415),
        post(
            "user-create-oversize",
            &format!(r#"{{"name":"{}"}}"#, "x".repeat(70 * 1024)),
        )
        .status(413),
    ]
}

fn products() -> Vec<Step> {
    vec![
        Step::new(
            "search",
            "GET",
            "/products?q=lamp&category=lighting&limit=5",
        )
        .varies(&[Part::Sql])
        .short(),
        Step::new("search-all", "GET", "/products").varies(&[Part::Sql]),
        Step::new("search-bad-limit", "GET", "/products?limit=0").status(400),
        Step::new("panic", "GET", PANIC_TARGET)
            .status(500)
            .raises()
            .short(),
    ]
}

/// The planted fault: [`crate::faults::PANIC_QUERY`] as a search.
const PANIC_TARGET: &str = "/products?q=panic-please";

fn routing() -> Vec<Step> {
    vec![
        Step::new("unknown-route", "GET", "/no/such/place").status(404),
        Step::new("wrong-method", "DELETE", "/products").status(405),
        Step::new("unknown-method", "FROB", "/products").status(405),
        Step::new(
            "secret-in-query",
            "GET",
            "/products?limit=0&sig=s3cr3t-canary",
        )
        .status(400),
    ]
}

fn health() -> Vec<Step> {
    let check = |name, target| {
        Step::new(name, "GET", target)
            .remote(true)
            .leaves(Leaves::Nothing)
    };
    vec![
        check("health", "/health"),
        check("healthz", "/healthz"),
        check("ready", "/ready"),
        check("readyz", "/readyz"),
    ]
}

fn session() -> Vec<Step> {
    // One server span is enough to see whether the id was taken; that it reaches the spans below, all other steps show.
    let step = |name| Step::new(name, "GET", "/products?limit=0").status(400);
    let hostile = |name, id: &str| step(name).replace_header("x-session-id", id);
    vec![
        step("session-absent").no_header("x-session-id"),
        hostile("session-too-long", &SECRET.repeat(800)),
        hostile("session-control-character", &format!("{SECRET}\tx")),
        hostile("session-forbidden-character", &format!("{SECRET}\u{1}"))
            .outcome(Outcome::Refused(400))
            .leaves(Leaves::Nothing),
        hostile("session-not-ascii", &format!("{SECRET}\u{e9}")),
        hostile("session-markup", &format!("<b>{SECRET}</b>")),
    ]
}

fn propagation() -> Vec<Step> {
    let step = |name| Step::new(name, "GET", "/products?limit=0").status(400);
    let garbage = |name, value| step(name).parent(Parent::Garbage(value));
    vec![
        step("traceparent-remote").remote(true).short(),
        step("traceparent-not-sampled")
            .remote(false)
            .leaves(Leaves::OnlyMetrics),
        garbage("traceparent-garbage", "00-this-is-no-trace"),
        garbage(
            "traceparent-zero",
            "00-00000000000000000000000000000000-0000000000000000-01",
        ),
        garbage(
            "traceparent-long",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ),
        step("baggage-over-limits").header(
            "baggage",
            &format!("user={}", SECRET.repeat(BAGGAGE_LIMIT / SECRET.len())),
        ),
    ]
}

fn external() -> Vec<Step> {
    let call = |name| Step::new(name, "POST", "/external").needs(Part::Client);
    vec![
        call("external-ok")
            .header("baggage", &format!("user={SECRET}"))
            .short(),
        call("external-not-found")
            .upstream(Mode::Answer(404))
            .status(502),
        call("external-error")
            .upstream(Mode::Answer(500))
            .status(502)
            .raises()
            .short(),
        call("external-retried").upstream(Mode::Recover(200)),
        call("external-timeout").upstream(Mode::Hang).status(504),
        call("external-refused").upstream(Mode::Refuse).status(502),
        call("external-cancelled")
            .upstream(Mode::Hang)
            .remote(true)
            .outcome(Outcome::Cancelled),
    ]
}

fn last() -> Vec<Step> {
    vec![
        Step::new("external-drained", "POST", "/external")
            .needs(Part::Client)
            .upstream(Mode::Hang)
            .outcome(Outcome::Drained(200)),
    ]
}

impl Step {
    fn new(name: &'static str, method: &'static str, target: &'static str) -> Self {
        let headers = vec![
            ("user-agent", "scenario/1".to_owned()),
            ("authorization", format!("Bearer {SECRET}")),
            ("cookie", format!("login={SECRET}")),
            ("x-session-id", SESSION.to_owned()),
        ];
        Self {
            name,
            needs: None,
            varies: &[],
            request: Request {
                method,
                target,
                headers,
                body: Vec::new(),
            },
            parent: Parent::None,
            upstream: Mode::Answer(200),
            outcome: Outcome::Status(200),
            leaves: Leaves::Trace,
            servers: 1,
            raises: false,
            attempts: 0,
            short: false,
        }
    }

    fn needs(mut self, part: Part) -> Self {
        self.needs = Some(part);
        self
    }

    fn varies(mut self, parts: &'static [Part]) -> Self {
        self.varies = parts;
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers.push((name, value.to_owned()));
        self
    }

    fn no_header(mut self, name: &str) -> Self {
        self.request.headers.retain(|header| header.0 != name);
        self
    }

    fn replace_header(self, name: &'static str, value: &str) -> Self {
        self.no_header(name).header(name, value)
    }

    fn body(mut self, body: &str) -> Self {
        self.request.body = body.as_bytes().to_vec();
        self
    }

    fn parent(mut self, parent: Parent) -> Self {
        self.parent = parent;
        self
    }

    fn remote(self, sampled: bool) -> Self {
        self.parent(Parent::Remote { sampled })
    }

    fn upstream(mut self, mode: Mode) -> Self {
        self.upstream = mode;
        self
    }

    fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    fn status(self, status: u16) -> Self {
        self.outcome(Outcome::Status(status))
    }

    fn leaves(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }

    fn servers(mut self, servers: usize) -> Self {
        self.servers = servers;
        self
    }

    fn raises(mut self) -> Self {
        self.raises = true;
        self
    }

    fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts;
        self
    }

    fn short(mut self) -> Self {
        self.short = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::faults::PANIC_QUERY;

    #[test]
    fn names_are_unique() {
        let steps = steps();
        let names: BTreeSet<_> = steps.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), steps.len());
    }

    #[test]
    fn the_panic_step_hits_the_planted_fault() {
        assert!(PANIC_TARGET.ends_with(PANIC_QUERY));
    }
}

//! Name, method, status and `error.type` of a gRPC span: <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.

use crate::signals::{Kind, Span, Status};

/// Codes that are a server's own fault; to a client every code but OK is an error.
const FAULTS_OF_A_SERVER: [&str; 6] = [
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
];

pub fn judge(span: &Span, say: &mut impl FnMut(String)) {
    let method = span.string("rpc.method").unwrap_or_default();
    let expected = if matches!(method, "" | "_OTHER") {
        "grpc"
    } else {
        method
    };
    if span.name != expected {
        say(format!("its name is `{}`, not `{expected}`", span.name));
    }
    let is_qualified = method
        .split_once('/')
        .is_some_and(|(service, name)| service.contains('.') && !name.contains('/'));
    if !is_qualified && method != "_OTHER" {
        say(format!(
            "`rpc.method` is `{method}`, not `package.Service/Method`"
        ));
    }
    let Some(code) = span.string("rpc.response.status_code") else {
        return;
    };
    let is_error = match span.kind {
        Kind::Server => FAULTS_OF_A_SERVER.contains(&code),
        _ => code != "OK",
    };
    if is_error != matches!(span.status, Status::Error(_)) {
        say(format!("its status is {:?} for {code}", span.status));
    }
    let error = span.string("error.type");
    // A panic is no answer of the method: it has a name of its own.
    if is_error && error != Some(code) && error != Some("panic") {
        say(format!("`error.type` is {error:?} for {code}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::samples;

    fn complaints(kind: Kind, name: &str, code: &str, failed: bool) -> Vec<String> {
        let (server, ..) = samples::trace();
        let mut span = server
            .with("rpc.method", name)
            .with("rpc.response.status_code", code);
        span.kind = kind;
        span.name = name.to_owned();
        if failed {
            span.status = Status::Error(String::new());
            span = span.with("error.type", code);
        }
        let mut complaints = Vec::new();
        judge(&span, &mut |what| complaints.push(what));
        complaints
    }

    #[test]
    fn which_codes_are_errors_depends_on_the_side() {
        let method = "shop.v1.UserService/GetUser";
        assert!(complaints(Kind::Server, method, "NOT_FOUND", false).is_empty());
        assert!(complaints(Kind::Client, method, "NOT_FOUND", true).is_empty());
        assert!(complaints(Kind::Server, method, "INTERNAL", true).is_empty());
        for (kind, code, failed) in [
            (Kind::Server, "NOT_FOUND", true),
            (Kind::Client, "NOT_FOUND", false),
            (Kind::Server, "INTERNAL", false),
        ] {
            assert!(!complaints(kind, method, code, failed).is_empty(), "{code}");
        }
    }

    #[test]
    fn a_method_has_its_service_and_no_slash_before() {
        assert_eq!(complaints(Kind::Server, "/a.B/C", "OK", false).len(), 1);
        assert_eq!(complaints(Kind::Server, "GetUser", "OK", false).len(), 1);
    }
}

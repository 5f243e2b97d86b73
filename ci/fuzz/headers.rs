//! Whatever headers a request has: what is sent on is valid, bounded, and stays as it is when it is sent on again.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub)]

mod propagation;
mod redact;
mod session;

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Injector, TextMapCompositePropagator, TextMapPropagator as _};
use propagation::headers::Carrier;

static PROPAGATOR: LazyLock<TextMapCompositePropagator> =
    LazyLock::new(|| propagation::of(&["tracecontext", "baggage"]));

struct Sent(HeaderMap);

impl Injector for Sent {
    fn set(&mut self, key: &str, value: String) {
        let value = HeaderValue::from_str(&value).expect("a header");
        self.0
            .insert(HeaderName::try_from(key).expect("a name"), value);
    }
}

fn sent_on(received: &HeaderMap) -> HeaderMap {
    let context = PROPAGATOR.extract(&Carrier(received));
    let mut sent = Sent(HeaderMap::new());
    PROPAGATOR.inject_context(&context, &mut sent);
    sent.0
}

// Lines of headers: the first byte says which, the rest is the value.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut received = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((which, value)) = line.split_first() else {
            continue;
        };
        let name = ["traceparent", "tracestate", "baggage", "x-session-id"][usize::from(which % 4)];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            received.append(name, value);
        }
        let text = String::from_utf8_lossy(value);
        session::SessionId::parse(&text);
        let shown = redact::query(&text).into_owned();
        assert_eq!(redact::query(&shown), shown);
    }
    let once = sent_on(&received);
    assert!(once.values().all(|value| value.len() <= 32 * 514));
    assert_eq!(sent_on(&once), once);
});

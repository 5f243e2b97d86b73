//! What holds of every header, however it was made up.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use proptest::prelude::*;

use super::{baggage::W3cBaggage, trace_parent::TraceParent, trace_state::Members};

/// Anything, and what is almost right.
fn header(almost: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        almost,
        (almost, any::<String>()).prop_map(|(one, other)| one + &other)
    ]
}

fn sent_on(baggage: &str) -> String {
    let received = HashMap::from([("baggage".to_owned(), baggage.to_owned())]);
    let mut sent = HashMap::new();
    W3cBaggage.inject_context(&W3cBaggage.extract(&received), &mut sent);
    sent.remove("baggage").unwrap_or_default()
}

proptest! {
    #[test]
    fn a_traceparent_is_sent_on_in_one_form_or_not_at_all(
        header in header("(00|01|cc|ff)-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-fA-F]{2}(-.{0,9})?"),
    ) {
        if let Some(parent) = TraceParent::parse(&[&header]) {
            let sent_on = parent.to_string();
            prop_assert_eq!(sent_on.len(), 55);
            prop_assert_eq!(TraceParent::parse(&[&sent_on]), Some(parent));
        }
    }

    #[test]
    fn a_tracestate_is_bounded_and_stays_as_it_is(
        headers in prop::collection::vec(header("([a-z0-9@_]{1,9}=[!-+--<>-~]{1,9}[ ,\t]{0,2}){0,40}"), 0..3),
    ) {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        if let Some(members) = Members::parse(&headers) {
            let (held, more) = members.held();
            let sent_on = more.unwrap_or_else(|| held.header());
            prop_assert!(sent_on.len() <= 32 * (256 + 1 + 256 + 1));
            let (held, more) = Members::parse(&[&sent_on]).expect("is valid").held();
            prop_assert_eq!(more.unwrap_or_else(|| held.header()), sent_on);
        }
    }

    #[test]
    fn baggage_is_bounded_and_can_be_no_other_header(
        header in header("([a-z0-9]{1,3} ?= ?[!-~]{0,9}(;[a-z]{0,3}(=[!-~]{0,3})?)?,){0,70}"),
    ) {
        let once = sent_on(&header);
        prop_assert!(once.len() <= 8192 && once.split(',').count() <= 64);
        prop_assert!(once.bytes().all(|byte| byte.is_ascii_graphic()), "{once:?}");
        prop_assert_eq!(sent_on(&once), once);
    }
}

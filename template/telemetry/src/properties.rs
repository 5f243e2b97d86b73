//! What holds of every text from outside, however it was made up.

use proptest::prelude::*;

use crate::{
    printable::{is_unseen, printable, printable_json},
    redact,
    session::SessionId,
};

proptest! {
    #[test]
    fn a_session_is_a_short_plain_word_or_none(text in prop_oneof![any::<String>(), "[ -~]{0,140}", "[a-zA-Z0-9._-]{0,140}"]) {
        if let Some(session) = SessionId::parse(&text) {
            prop_assert_eq!(session.as_str(), &text);
            prop_assert!((1..=128).contains(&text.len()));
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)));
        }
    }

    #[test]
    fn nothing_unseen_is_printed(text in any::<String>()) {
        let shown = printable(&text);
        prop_assert!(!shown.contains(is_unseen), "{shown:?}");
        let shown_again = printable(&shown).into_owned();
        prop_assert_eq!(shown_again, shown);
        let json = serde_json::to_string(&text).expect("a string");
        let shown = printable_json(&json);
        prop_assert!(!shown.contains(is_unseen), "{shown:?}");
        let read = serde_json::from_str::<String>(&shown).expect("JSON");
        prop_assert_eq!(read, text);
    }

    #[test]
    fn the_values_of_secret_keys_go_and_the_others_stay(
        before in "[ -~]{0,20}", key in "(?i-u:token|sig|password|api_key|x-amz-signature)", after in "[ -~]{0,20}",
    ) {
        let query = format!("{before}&{key}=hunter2&{after}");
        let shown = redact::query(&query).into_owned();
        prop_assert!(!shown.contains("hunter2"), "{shown}");
        prop_assert_eq!(shown.split('&').count(), query.split('&').count());
        let shown_again = redact::query(&shown).into_owned();
        prop_assert_eq!(shown_again, shown);
    }

    #[test]
    fn any_query_can_be_looked_at(query in any::<String>()) {
        let shown = redact::query(&query).into_owned();
        let shown_again = redact::query(&shown).into_owned();
        prop_assert_eq!(shown_again, shown);
    }
}

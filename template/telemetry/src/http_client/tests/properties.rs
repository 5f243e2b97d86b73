use proptest::prelude::*;

use super::super::url::redacted;

proptest! {
    #[test]
    fn no_url_shows_who_calls_or_with_which_key(
        user in "[a-z0-9:@.%]{0,9}", host in "[a-z0-9.]{1,9}(:[0-9]{1,5})?", path in "(/[ -~&&[^?#]]{0,9})?",
        before in "[a-z=&]{0,9}", fragment in prop::bool::ANY,
    ) {
        let separator = if fragment { '#' } else { '?' };
        let url = format!("https://{user}hunter2@{host}{path}{separator}{before}&sig=hunter2&page=1");
        let shown = redacted(url.as_str().into());
        prop_assert!(!shown.contains("hunter2"), "{shown}");
        prop_assert!(shown.contains(&host) && shown.ends_with("&page=1"), "{shown}");
        prop_assert_eq!(redacted(shown.as_str().into()), shown);
    }

    #[test]
    fn any_text_can_be_looked_at(url in any::<String>()) {
        let shown = redacted(url.as_str().into());
        prop_assert_eq!(redacted(shown.as_str().into()), shown);
    }
}

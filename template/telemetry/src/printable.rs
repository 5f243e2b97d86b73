//! Text that anyone may have written, such as a path or a user's name, on a line of the log or of a trace: it must not
//! look like another line, nor give orders to the terminal, nor turn what stands beside it around.
//! <https://owasp.org/www-community/attacks/Log_Injection>

use std::{borrow::Cow, fmt::Write as _};

/// Whether a character does something instead of being seen: controls, ends of lines, and those that change the
/// direction of text (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
pub(crate) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with such characters as Rust would write them: `\n`, `\u{1b}`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character, shown| {
        shown.extend(character.escape_default());
    })
}

/// JSON, which hides some of them only, with the others as JSON writes them. They can stand in its strings alone.
pub(crate) fn printable_json(text: &str) -> Cow<'_, str> {
    escaped(text, |character, shown| {
        // All of them are in the first plane. Writing to a String cannot fail.
        let _ = write!(shown, "\\u{:04x}", u32::from(character));
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unseen(character) {
            escape(character, &mut shown);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelt_out() {
        for (text, shown) in [
            ("", ""),
            ("Ada é 日本 👩‍💻", "Ada é 日本 👩‍💻"),
            ("a\nb\r\tc\0", "a\\nb\\r\\tc\\u{0}"),
            ("\u{1b}[2J\u{9b}31m\u{7f}", "\\u{1b}[2J\\u{9b}31m\\u{7f}"),
            ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn json_stays_what_it_is() {
        let text = "\u{1b}[2J\u{9b}\u{7f}\u{2029}\u{202e}é\n";
        let json = serde_json::to_string(text).expect("a string");
        let shown = printable_json(&json);
        assert!(!shown.contains(is_unseen), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
    }
}

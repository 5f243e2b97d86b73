use super::{samples::*, *};

fn kinds(sql: &str, dialect: Dialect) -> Vec<(Kind, &str)> {
    tokens(sql, dialect)
        .filter(|t| t.kind != Kind::Gap)
        .map(|t| (t.kind, t.text))
        .collect()
}

#[test]
fn tells_values_names_and_placeholders_apart() {
    use Kind::{Placeholder, QuotedName, Symbol, Value, Word};
    assert_eq!(
        kinds("a1.\"b\"\"c\"='x''y' + 1e-3-?2", POSTGRES),
        [
            (Word, "a1"),
            (Symbol(b'.'), "."),
            (QuotedName, "\"b\"\"c\""),
            (Symbol(b'='), "="),
            (Value, "'x''y'"),
            (Symbol(b'+'), "+"),
            (Value, "1e-3"),
            (Symbol(b'-'), "-"),
            (Placeholder, "?2"),
        ]
    );
    assert_eq!(
        kinds("SELECT'x'", SQLITE),
        [(Word, "SELECT"), (Value, "'x'")]
    );
    assert_eq!(
        kinds("0xe+1", SQLITE),
        [(Value, "0xe"), (Symbol(b'+'), "+"), (Value, "1")]
    );
    assert_eq!(
        kinds("größe $1::int", POSTGRES)[..2],
        [(Word, "größe"), (Placeholder, "$1")]
    );
    assert_eq!(
        kinds("$a$ $ab$ $a$ b", POSTGRES),
        [(Value, "$a$ $ab$ $a$"), (Word, "b")]
    );
    assert_eq!(kinds("$a$ b", SQLITE), [(Placeholder, "$a$"), (Word, "b")]);
}

/// Any text, whole or cut anywhere, is taken apart without a panic and without losing a byte.
#[test]
fn survives_any_text() {
    let pieces = [
        "'", "\"", "`", "[", "]", "\\", "$", "$$", "$a$", "--", "/*", "*/", "#", "e", "E'", "x'",
        "_", "é", "🦀", "0x", "1e", "1e+", ".", ".5", "?", ":", "::", "@", "@@", "(", ")", ",",
        ";", " ", "\n", "IN", "SELECT", "FROM", "WITH", "AS", "\0",
    ];
    // A linear congruential generator: the same texts each run, no dependency.
    let mut state: u64 = 7;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits fit") % below
    };
    for _ in 0..20_000 {
        let text: String = (0..random(12))
            .map(|_| pieces[random(pieces.len())])
            .collect();
        for dialect in [SQLITE, POSTGRES, MYSQL] {
            let whole: String = tokens(&text, dialect).map(|token| token.text).collect();
            assert_eq!(whole, text);
            super::super::sanitize::sanitize(&text, dialect);
            super::super::summary::summary(&text, dialect);
        }
    }
}

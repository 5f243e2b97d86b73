//! What holds of every statement, in every dialect, however it was made up.

use proptest::prelude::*;

use super::super::{
    sanitize::sanitize,
    summary::summary,
    token::{Dialect, Kind, samples::*, tokens},
};

/// What a secret is made of here: no keyword, no name and no number.
const SECRET: &str = "hunter2";

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(SQLITE), Just(POSTGRES), Just(MYSQL)]
}

/// Pieces of SQL in any order: closer to statements than any text, and further from them than people come.
fn statement() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "SELECT",
        "INSERT INTO",
        "UPDATE",
        "DELETE FROM",
        "WITH",
        "FROM",
        "JOIN",
        "WHERE",
        "IN",
        "VALUES",
        "SET",
        "AS",
        "CREATE TABLE",
        "users",
        "\"a b\"",
        "`c`",
        "[d]",
        "t.u",
        "(",
        ")",
        ",",
        ";",
        ".",
        "=",
        "-",
        "--",
        "/*",
        "*/",
        "#",
        "'",
        "''",
        "\"",
        "\\",
        "$$",
        "$t$",
        "E'",
        "x'",
        "?",
        "$1",
        ":n",
        "@v",
        "1",
        "1.5e3",
        "0xff",
        "NULL",
        "TRUE",
        "\n",
        " ",
        "é",
    ]);
    let some = prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.join(" "));
    prop_oneof![
        any::<String>(),
        some.clone(),
        some.prop_map(|text| text.replace(' ', ""))
    ]
}

/// A literal with the secret in it, as each dialect writes them.
fn literal() -> impl Strategy<Value = (Dialect, String)> {
    (dialect(), "[^'\"\\\\$]{0,9}", 0..3).prop_map(|(dialect, around, form)| {
        let text = format!("{around}{SECRET}{around}");
        let literal = match form {
            1 if dialect.dollar_quotes => format!("$x${text}$x$"),
            1 if dialect.backslash_escapes => format!("'\\'{text}'"),
            2 if dialect.text_quotes.contains(&b'"') => format!("\"{text}\""),
            _ => format!("'''{text}'"),
        };
        (dialect, literal)
    })
}

proptest! {
    #[test]
    fn tokens_are_the_text((dialect, sql) in (dialect(), statement())) {
        let pieces: String = tokens(&sql, dialect).map(|token| token.text).collect();
        prop_assert_eq!(pieces, sql);
    }

    #[test]
    fn what_is_sanitized_is_bounded_and_holds_no_literal((dialect, sql) in (dialect(), statement())) {
        let once = sanitize(&sql, dialect);
        prop_assert!(once.len() <= 8 * 1024);
        let literal = tokens(&once, dialect).find(|token| token.kind == Kind::Value);
        prop_assert!(literal.is_none(), "{literal:?} in {once:?}");
    }

    #[test]
    fn a_summary_is_bounded_and_made_of_the_statement((dialect, sql) in (dialect(), statement())) {
        if let Some(summary) = summary(&sql, dialect) {
            prop_assert!((1..=255).contains(&summary.len()));
            for piece in summary.split([' ', '.']).filter(|piece| !piece.is_empty()) {
                prop_assert!(sql.contains(piece), "{piece} in {summary}");
            }
        }
    }

    #[test]
    fn no_literal_is_in_a_signal((dialect, literal) in literal(), nth in 0..5_usize) {
        let sql = match nth {
            0 => format!("SELECT id FROM users WHERE name = {literal}"),
            1 => format!("INSERT INTO users (id, name) VALUES (1, {literal}), (2,{literal})"),
            2 => format!("UPDATE users SET name={literal},id=2 WHERE id IN ({literal}, {literal})"),
            3 => format!("SELECT coalesce({literal}, 'x') FROM users; DELETE FROM users WHERE name <> {literal}"),
            _ => format!("WITH u AS (SELECT {literal}) SELECT * FROM u JOIN users ON name LIKE {literal}"),
        };
        let text = sanitize(&sql, dialect);
        prop_assert!(!text.contains(SECRET), "{text}");
        let summary = summary(&sql, dialect).unwrap_or_default();
        prop_assert!(!summary.contains(SECRET), "{summary}");
    }
}

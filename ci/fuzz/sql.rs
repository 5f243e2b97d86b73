//! Whatever text a statement is, in every dialect: bounded, and clean after the first time.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub)]

mod sanitize;
mod summary;
mod token;

use token::{Dialect, Kind};

const DIALECTS: [Dialect; 3] = [
    Dialect {
        text_quotes: b"'\"",
        name_quotes: b"`[",
        backslash_escapes: false,
        dollar_quotes: false,
        hash_comments: false,
        dashes_need_space: false,
    },
    Dialect {
        text_quotes: b"'",
        name_quotes: b"\"",
        backslash_escapes: false,
        dollar_quotes: true,
        hash_comments: false,
        dashes_need_space: false,
    },
    Dialect {
        text_quotes: b"'\"",
        name_quotes: b"`",
        backslash_escapes: true,
        dollar_quotes: false,
        hash_comments: true,
        dashes_need_space: true,
    },
];

libfuzzer_sys::fuzz_target!(|sql: &str| {
    for dialect in DIALECTS {
        let pieces: String = token::tokens(sql, dialect)
            .map(|token| token.text)
            .collect();
        assert_eq!(pieces, sql);
        let once = sanitize::sanitize(sql, dialect);
        assert!(once.len() <= 8 * 1024);
        let literal = token::tokens(&once, dialect).find(|token| token.kind == Kind::Value);
        assert!(literal.is_none(), "{literal:?} in {once:?}");
        if let Some(summary) = summary::summary(sql, dialect) {
            assert!((1..=255).contains(&summary.len()));
        }
    }
});

//! `db.query.text` of statements that bind no parameters: their literals might be anyone's data.
//! <https://opentelemetry.io/docs/specs/semconv/db/database-spans/#sanitization-of-dbquerytext>

use super::token::{Dialect, Kind, Token, tokens};

/// Where the text is cut, in bytes: scripts of many statements are not what a span is for.
const MAX_LENGTH: usize = 8 * 1024;

/// `sql` with each literal replaced by `?`, each run of white space and comments by one space, and `IN` lists shortened
/// to their first member. Names, keywords and placeholders stay.
pub(super) fn sanitize(sql: &str, dialect: Dialect) -> String {
    let mut text = String::with_capacity(sql.len().min(MAX_LENGTH));
    let mut list = List::Outside;
    for token in tokens(sql.trim(), dialect) {
        let piece = match token.kind {
            Kind::Gap => " ",
            Kind::Value => "?",
            // Booleans are literals too, by the letter of the convention.
            Kind::Word if token.is_one_of(&["TRUE", "FALSE"]) => "?",
            _ => token.text,
        };
        list = list.next(token, piece == "?");
        if matches!(list, List::Skipping) {
            continue;
        }
        if text.len() + piece.len() > MAX_LENGTH {
            break;
        }
        text.push_str(piece);
    }
    text
}

/// How far into an `IN (?, ?, ?)` the text is.
#[derive(Debug, Clone, Copy)]
enum List {
    Outside,
    /// Behind `IN`.
    Announced,
    /// Behind `IN (`.
    Opened,
    /// Behind the first member, which stands for all.
    Kept,
    /// Among the other members.
    Skipping,
}

impl List {
    fn next(self, token: Token<'_>, is_value: bool) -> Self {
        let is_member = is_value || token.kind == Kind::Placeholder;
        match (self, token.kind) {
            _ if token.is_word("IN") => Self::Announced,
            (Self::Announced | Self::Opened, Kind::Gap) => self,
            (Self::Announced, Kind::Symbol(b'(')) => Self::Opened,
            (Self::Opened, _) if is_member => Self::Kept,
            (Self::Kept | Self::Skipping, Kind::Symbol(b',' | b'-' | b'+') | Kind::Gap) => {
                Self::Skipping
            }
            (Self::Kept | Self::Skipping, _) if is_member => Self::Skipping,
            _ => Self::Outside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::token::samples::*, *};

    #[test]
    fn literals_become_placeholders_and_nothing_else_changes() {
        for (dialect, given, shown) in [
            (SQLITE, "SELECT 1", "SELECT ?"),
            (
                SQLITE,
                "SELECT * FROM t WHERE a='it''s' AND b = -1.5e-3",
                "SELECT * FROM t WHERE a=? AND b = -?",
            ),
            (
                SQLITE,
                "SELECT x'ff', .5, 0xFF, true FROM t1",
                "SELECT ?, ?, ?, ? FROM t1",
            ),
            (
                SQLITE,
                "a = ? AND b = ?2 AND c = :name AND d = @d AND e = $e",
                "a = ? AND b = ?2 AND c = :name AND d = @d AND e = $e",
            ),
            (
                SQLITE,
                "SELECT\n\t 'a' -- secret 'x\n FROM /* secret */ t",
                "SELECT ? FROM t",
            ),
            (
                SQLITE,
                "SELECT \"name\" FROM `t` WHERE [a b] = \"bob\"",
                "SELECT ? FROM `t` WHERE [a b] = ?",
            ),
            (
                POSTGRES,
                "SELECT \"name\" FROM \"t\"",
                "SELECT \"name\" FROM \"t\"",
            ),
            (
                POSTGRES,
                "SELECT $$a$b$$, $t$x $$ y$t$, E'it\\'s', $1",
                "SELECT ?, ?, ?, $1",
            ),
            (
                POSTGRES,
                "SELECT DATE '2020-01-01', '1'::int, ARRAY['a', 'b'], a #> '{x}'",
                "SELECT DATE ?, ?::int, ARRAY[?, ?], a #> ?",
            ),
            (POSTGRES, "SELECT 'a\\' , 'b'", "SELECT ? , ?"),
            (POSTGRES, "/* a /* b */ 'c' */ SELECT 1", " SELECT ?"),
            (
                MYSQL,
                "SELECT 'it\\'s', \"also \\\" text\" # 'x\nFROM `t`",
                "SELECT ?, ? FROM `t`",
            ),
            (MYSQL, "SELECT 5--'a\nsecret', b -- 'x", "SELECT ?--?, b "),
            (POSTGRES, "SELECT 5--'a\n, b", "SELECT ? , b"),
            (
                MYSQL,
                "SELECT _utf8'a', N'b', @@version",
                "SELECT ?, ?, @@version",
            ),
        ] {
            assert_eq!(sanitize(given, dialect), shown, "{given}");
        }
    }

    #[test]
    fn lists_keep_one_member() {
        for (given, shown) in [
            ("a IN (1, 2, 3) AND b", "a IN (?) AND b"),
            ("a in(1,-2,'c')", "a in(?)"),
            ("a IN ( ?, ?, ? )", "a IN ( ?)"),
            ("a IN (1) AND f(1, 2)", "a IN (?) AND f(?, ?)"),
            (
                "a IN (SELECT b FROM c WHERE d IN (1, 2))",
                "a IN (SELECT b FROM c WHERE d IN (?))",
            ),
        ] {
            assert_eq!(sanitize(given, SQLITE), shown, "{given}");
        }
    }

    #[test]
    fn what_has_no_end_is_a_value() {
        for given in [
            "SELECT 'secret",
            "SELECT \"secret",
            "SELECT `secret",
            "SELECT [secret",
            "SELECT $$secret",
            "SELECT $a$secret",
            "SELECT E'secret\\'",
        ] {
            for dialect in [SQLITE, POSTGRES, MYSQL] {
                let shown = sanitize(given, dialect);
                assert!(
                    !shown.contains("secret") || !quotes_with(given, dialect),
                    "{given}: {shown}"
                );
            }
        }
    }

    /// Whether `sql`'s odd quote means anything to `dialect`.
    fn quotes_with(sql: &str, dialect: Dialect) -> bool {
        match sql.as_bytes()[7] {
            b'$' => dialect.dollar_quotes,
            quote @ (b'`' | b'[') => dialect.name_quotes.contains(&quote),
            _ => true,
        }
    }

    #[test]
    fn long_text_is_cut() {
        let sql = "SELECT 'é', ".repeat(10_000);
        assert!(sanitize(&sql, SQLITE).len() <= MAX_LENGTH);
    }
}

use super::{super::token::samples::*, *};

#[track_caller]
fn check(dialect: Dialect, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(
            summary(sql, dialect).unwrap_or_default(),
            *expected,
            "{sql}"
        );
    }
}

#[test]
fn examples_of_the_convention() {
    check(
        MYSQL,
        &[
            (
                "SELECT *\nFROM   wuser_table\nWHERE  username = ?",
                "SELECT wuser_table",
            ),
            (
                "INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders WHERE order_id = ?",
                "INSERT shipping_details SELECT orders",
            ),
            (
                "SELECT * FROM songs, artists WHERE songs.artist_id == artists.id",
                "SELECT songs artists",
            ),
            (
                "SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = c.customer_id)",
                "SELECT SELECT orders customers",
            ),
            (
                "call some_stored_procedure(1)",
                "call some_stored_procedure",
            ),
        ],
    );
    // The convention shows 'artists' too. Here single quotes are text, and text never shows.
    check(
        SQLITE,
        &[(
            "SELECT * FROM \"song list\", 'artists'",
            "SELECT \"song list\"",
        )],
    );
}

#[test]
fn reading() {
    check(
        POSTGRES,
        &[
            ("SELECT 1", "SELECT"),
            ("select id, name from users where id = $1", "select users"),
            (
                "SELECT * FROM public.users AS u, ONLY \"a\".\"b c\" x WHERE u.id = 1, 2",
                "SELECT public.users \"a\".\"b c\"",
            ),
            (
                "SELECT * FROM a LEFT OUTER JOIN b ON a.x = b.x, c CROSS JOIN d USING (x) GROUP BY e, f",
                "SELECT a b c d",
            ),
            (
                "SELECT * FROM (a JOIN b ON true) WHERE x IN (SELECT y FROM c)",
                "SELECT a b SELECT c",
            ),
            (
                "SELECT * FROM a JOIN LATERAL (SELECT * FROM b) z ON true",
                "SELECT a SELECT b",
            ),
            (
                "SELECT * FROM generate_series(1, 10), b",
                "SELECT generate_series b",
            ),
            (
                "SELECT * FROM (VALUES (1, 2), (3, 4)) v, b",
                "SELECT VALUES b",
            ),
            (
                "SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b) ORDER BY c, d",
                "SELECT a SELECT b",
            ),
            (
                "SELECT extract(year FROM born), substring('x' FROM 2) FROM users",
                "SELECT users",
            ),
            ("SELECT a IS DISTINCT FROM b FROM users", "SELECT users"),
            (
                "SELECT a FROM b UNION ALL (SELECT c FROM d) LIMIT 1, 2",
                "SELECT b SELECT d",
            ),
            (
                "(SELECT a FROM b) EXCEPT SELECT c FROM d",
                "SELECT b SELECT d",
            ),
            ("SELECT * FROM users FOR UPDATE", "SELECT users"),
            (
                "-- all of them\nSELECT /* FROM x */ * FROM users -- FROM y",
                "SELECT users",
            ),
            (
                "SELECT replace(a, 'x', 'y'), (replace(b, 'x', 'y')) FROM t",
                "SELECT t",
            ),
            ("SELECT a.from, a.select FROM a.join, b", "SELECT a.join b"),
            ("SELECT 'FROM secret' FROM $1, t", "SELECT t"),
            ("VALUES (1), (2)", "VALUES"),
            (
                "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM users",
                "EXPLAIN SELECT users",
            ),
            (
                "EXPLAIN QUERY PLAN DELETE FROM users",
                "EXPLAIN DELETE users",
            ),
        ],
    );
}

#[test]
fn common_table_expressions() {
    check(
        POSTGRES,
        &[
            (
                "WITH x AS (SELECT * FROM users) SELECT * FROM x",
                "SELECT users SELECT",
            ),
            (
                "WITH x AS (SELECT * FROM users), y(a, b) AS NOT MATERIALIZED (SELECT 1, 2) SELECT * FROM X, y, z",
                "SELECT users SELECT SELECT z",
            ),
            (
                "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT * FROM t JOIN u ON true",
                "VALUES SELECT SELECT u",
            ),
            (
                "WITH gone AS (DELETE FROM a WHERE b RETURNING *) INSERT INTO c SELECT * FROM gone",
                "DELETE a INSERT c SELECT",
            ),
            (
                "SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x, s.x) y",
                "SELECT SELECT SELECT s.x",
            ),
            (
                "SELECT (WITH x AS (SELECT a FROM b) SELECT a FROM x)",
                "SELECT SELECT b SELECT",
            ),
        ],
    );
}

#[test]
fn writing() {
    check(
        SQLITE,
        &[
            (
                "insert into users (name, email) values (?, ?) returning id",
                "insert users",
            ),
            (
                "INSERT OR IGNORE INTO main.users VALUES (1, 'a'), (2, 'b')",
                "INSERT main.users",
            ),
            (
                "INSERT INTO users (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
                "INSERT users",
            ),
            ("REPLACE INTO `users` VALUES (1)", "REPLACE `users`"),
            (
                "INSERT INTO a SELECT * FROM [b c] JOIN d",
                "INSERT a SELECT [b c] d",
            ),
            (
                "UPDATE users SET name = ?, email = ? WHERE id = ?",
                "UPDATE users",
            ),
            (
                "UPDATE OR ROLLBACK a SET x = b.y FROM b, c WHERE a.id = b.id",
                "UPDATE a b c",
            ),
            ("UPDATE a SET x = (SELECT y FROM b)", "UPDATE a SELECT b"),
            ("DELETE FROM users WHERE id = 'secret'", "DELETE users"),
            (
                "DELETE FROM a USING b JOIN c USING (id) WHERE a.id = b.id",
                "DELETE a b c",
            ),
            (
                "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
                "MERGE a b",
            ),
        ],
    );
    check(
        MYSQL,
        &[
            ("UPDATE a, b SET a.x = b.y, a.z = 1", "UPDATE a b"),
            ("INSERT IGNORE users SET a = 'x'", "INSERT users"),
        ],
    );
}

#[test]
fn defining_and_the_rest() {
    check(
        SQLITE,
        &[
            (
                "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x' REFERENCES n (a) ON DELETE CASCADE)",
                "CREATE TABLE users",
            ),
            (
                "CREATE TEMP TABLE a AS SELECT * FROM b",
                "CREATE TABLE a SELECT b",
            ),
            (
                "create unique index if not exists i on users (name)",
                "create index i",
            ),
            (
                "CREATE OR REPLACE VIEW v AS SELECT * FROM a",
                "CREATE VIEW v SELECT a",
            ),
            ("CREATE VIRTUAL TABLE t USING fts5(a, b)", "CREATE TABLE t"),
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = 1; END; SELECT 1",
                "CREATE TRIGGER",
            ),
            (
                "ALTER TABLE users ADD COLUMN age INTEGER",
                "ALTER TABLE users",
            ),
            ("DROP TABLE IF EXISTS users, orders", "DROP TABLE users"),
            ("TRUNCATE users", "TRUNCATE users"),
            ("TRUNCATE TABLE users", "TRUNCATE users"),
            ("CREATE USER bob IDENTIFIED BY 'secret'", "CREATE USER bob"),
            ("PRAGMA journal_mode = WAL", "PRAGMA journal_mode"),
            ("PRAGMA main.table_info('users')", "PRAGMA main.table_info"),
            ("BEGIN IMMEDIATE", "BEGIN"),
            ("ROLLBACK TO SAVEPOINT sp_4711", "ROLLBACK"),
            ("SET password = 'secret'", "SET"),
            ("create index on users (name)", "create index users"),
            ("COPY users FROM STDIN", "COPY users"),
            ("", ""),
            (" ; -- nothing", ""),
            ("secret", ""),
            ("'secret'", ""),
            ("4711 secrets", ""),
        ],
    );
}

#[test]
fn several_statements() {
    check(
        SQLITE,
        &[
            (
                "BEGIN; INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); DELETE FROM b; COMMIT;",
                "BEGIN INSERT a DELETE b COMMIT",
            ),
            (
                "SELECT 1; SELECT 2 FROM a; SELECT 3 FROM a",
                "SELECT SELECT a",
            ),
            (
                "WITH x AS (SELECT 1) SELECT * FROM x; SELECT * FROM x",
                "SELECT SELECT SELECT x",
            ),
            ("SELECT ((1; DELETE FROM a", "SELECT DELETE a"),
        ],
    );
}

#[test]
fn is_short_and_cut_between_names() {
    let tables: Vec<_> = (0..100).map(|n| format!("table_{n}")).collect();
    let text =
        summary(&format!("SELECT * FROM {}", tables.join(", ")), SQLITE).expect("an operation");
    assert!(
        text.len() <= MAX_LENGTH && text.len() > MAX_LENGTH - 10,
        "{text}"
    );
    let last = text.rsplit(' ').next().map(str::to_owned);
    assert!(last.is_some_and(|last| tables.contains(&last)), "{text}");
    let qualified = format!("SELECT * FROM a, b.c.{}", "x".repeat(300));
    assert_eq!(summary(&qualified, SQLITE).as_deref(), Some("SELECT a"));
    let late = format!("SELECT 1 /*{}*/; DELETE FROM users", "x".repeat(MAX_READ));
    assert_eq!(summary(&late, SQLITE).as_deref(), Some("SELECT"));
    assert_eq!(
        summary(&format!("DELETE FROM {}", "x".repeat(300)), SQLITE).as_deref(),
        Some("DELETE")
    );
}

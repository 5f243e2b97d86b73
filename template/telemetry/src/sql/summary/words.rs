//! The keywords that the summary follows, in capitals.

/// Statements that read or write rows.
pub(super) const DATA: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES", "WITH",
];
/// Statements that name a kind of object and then the object: `CREATE TABLE users`.
pub(super) const DEFINITION: &[&str] = &["CREATE", "ALTER", "DROP"];
#[rustfmt::skip]
pub(super) const OBJECTS: &[&str] = &[
    "COLLATION", "DATABASE", "DOMAIN", "EVENT", "EXTENSION", "FUNCTION", "INDEX", "POLICY", "PROCEDURE", "ROLE", "SCHEMA",
    "SEQUENCE", "TABLE", "TYPE", "USER", "VIEW",
];
/// Statements with one target.
pub(super) const TARGETED: &[&str] = &["CALL", "COPY", "EXEC", "EXECUTE", "PRAGMA", "TRUNCATE"];
/// Statements of which the operation says enough. A word that is in no list is no operation: it may be anything.
#[rustfmt::skip]
pub(super) const BARE: &[&str] = &[
    "ABORT", "ANALYSE", "ANALYZE", "ATTACH", "BEGIN", "CHECKPOINT", "COMMENT", "COMMIT", "DEALLOCATE", "DECLARE", "DESCRIBE",
    "DETACH", "DISCARD", "END", "FETCH", "GRANT", "LISTEN", "LOCK", "NOTIFY", "REFRESH", "REINDEX", "RELEASE", "RESET",
    "REVOKE", "ROLLBACK", "SAVEPOINT", "SET", "SHOW", "START", "UNLISTEN", "UNLOCK", "USE", "VACUUM",
];

/// Words between an operation and its target.
#[rustfmt::skip]
pub(super) const BEFORE_TARGET: &[&str] = &[
    "ABORT", "CONCURRENTLY", "DELAYED", "EXISTS", "FAIL", "HIGH_PRIORITY", "IF", "IGNORE", "INTO", "LATERAL", "LOW_PRIORITY",
    "NOT", "ON", "ONLY", "OR", "REPLACE", "ROLLBACK", "TABLE",
];
/// Words that end a list of tables.
#[rustfmt::skip]
pub(super) const AFTER_TABLES: &[&str] = &[
    "EXCEPT", "FETCH", "FOR", "GROUP", "HAVING", "INTERSECT", "LIMIT", "OFFSET", "ORDER", "QUALIFY", "RETURNING", "SET",
    "UNION", "VALUES", "WHERE", "WINDOW",
];

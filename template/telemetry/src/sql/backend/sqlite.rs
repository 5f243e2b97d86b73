//! SQLite: what the instrumentation needs to know about this database, and nothing else does.

use std::borrow::Cow;

use sqlx::{error::DatabaseError, sqlite::SqliteConnectOptions};

use super::{Endpoint, token::Dialect};

/// The sqlx driver of this service's database.
pub type Driver = sqlx::Sqlite;

/// `db.system.name`
pub(super) const SYSTEM: &str = "sqlite";

pub(super) const DIALECT: Dialect = Dialect {
    // SQLite takes a double-quoted word that names nothing for text: <https://sqlite.org/quirks.html#dblquote>.
    text_quotes: b"'\"",
    name_quotes: b"`[",
    backslash_escapes: false,
    dollar_quotes: false,
    hash_comments: false,
    dashes_need_space: false,
};

/// A database without a server. Its namespace is the name of its file; the folder is the machine's business.
pub(super) fn endpoint(options: &SqliteConnectOptions) -> Endpoint {
    let file = options.get_filename();
    let in_memory = file.to_string_lossy().starts_with("file:sqlx-in-memory");
    let name = if in_memory { None } else { file.file_name() };
    Endpoint {
        namespace: Some(name.map_or(":memory:".into(), |name| {
            name.to_string_lossy().into_owned()
        })),
        ..Endpoint::default()
    }
}

/// `db.response.status_code`: the extended result code. SQLite reports one only for failures.
pub(super) fn status_code(error: &dyn DatabaseError) -> Option<Cow<'_, str>> {
    error.code()
}

/// Whether SQLite's words quote names of the schema at most, and so may go on record.
pub(super) fn quotes_names_only(error: &dyn DatabaseError) -> bool {
    // Busy, locked, read-only, disk, full, cannot open, constraints: <https://sqlite.org/rescode.html>.
    const PRIMARY: [u32; 7] = [5, 6, 8, 10, 13, 14, 19];
    // A trigger's words are its own.
    const CONSTRAINT_TRIGGER: u32 = 1811;
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    let named = |code: u32| code != CONSTRAINT_TRIGGER && PRIMARY.contains(&(code & 0xff));
    // Not a column: text in the wrong quotes is taken for one.
    code.is_some_and(named) || error.message().starts_with("no such table: ")
}

/// Is in its words, which say no more.
pub(super) fn constraint(_: &dyn DatabaseError) -> Option<&str> {
    None
}

/// What the tests of this folder need of a database.
#[cfg(test)]
pub(super) mod testing {
    use sqlx::{ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};

    /// The code of a duplicate key.
    pub(in super::super) const DUPLICATE: &str = "1555";
    pub(in super::super) const INSERT: &str = "INSERT INTO users (id, name) VALUES (?, ?)";
    pub(in super::super) const FIND: &str = "SELECT name FROM users WHERE id = ?";
    /// Fails with a value of the statement in SQLite's words.
    pub(in super::super) const TALKATIVE: &str = "VALUES (1 'hunter2')";
    const CREATE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)";

    /// A database with an empty table, which goes when this is dropped.
    pub(in super::super) struct Database {
        pub(in super::super) options: SqliteConnectOptions,
        /// A database in memory is there as long as someone is connected to it.
        _connected: SqliteConnection,
    }

    impl Database {
        pub(in super::super) async fn new() -> Self {
            let options: SqliteConnectOptions = "sqlite::memory:".parse().expect("a database URL");
            let mut connection = options.connect().await.expect("SQLite needs no server");
            sqlx::raw_sql(CREATE)
                .execute(&mut connection)
                .await
                .expect("a table can be made");
            Self {
                options,
                _connected: connection,
            }
        }

        /// What all signals say of where it is.
        pub(in super::super) fn place(&self) -> Vec<(&'static str, String)> {
            vec![("db.namespace", ":memory:".to_owned())]
        }
    }

    #[test]
    fn the_namespace_is_the_file() {
        for (url, namespace) in [
            ("sqlite:service.db?mode=rwc", "service.db"),
            ("sqlite:///var/lib/private/service.db", "service.db"),
            ("sqlite::memory:", ":memory:"),
        ] {
            let options = url.parse().expect("a database URL");
            assert_eq!(
                super::endpoint(&options).namespace.as_deref(),
                Some(namespace),
                "{url}"
            );
        }
    }
}

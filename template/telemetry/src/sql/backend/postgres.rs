//! PostgreSQL: what the instrumentation needs to know about this database, and nothing else does.
//! <https://opentelemetry.io/docs/specs/semconv/db/postgresql/>

use std::borrow::Cow;

use sqlx::{error::DatabaseError, postgres::PgConnectOptions};

use super::{Endpoint, token::Dialect};

/// The sqlx driver of this service's database.
pub type Driver = sqlx::Postgres;

/// `db.system.name`
pub(super) const SYSTEM: &str = "postgresql";

const DEFAULT_PORT: u16 = 5432;

pub(super) const DIALECT: Dialect = Dialect {
    text_quotes: b"'",
    name_quotes: b"\"",
    backslash_escapes: false,
    dollar_quotes: true,
    hash_comments: false,
    dashes_need_space: false,
};

/// The namespace is the database's name; the schema is the server's to know, and may change with every statement.
pub(super) fn endpoint(options: &PgConnectOptions) -> Endpoint {
    // <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-DBNAME>
    let database = options.get_database().unwrap_or(options.get_username());
    let host = options.get_host();
    let socket = match options.get_socket() {
        Some(folder) => Some(folder.display().to_string()),
        None => host.starts_with('/').then(|| host.to_owned()),
    };
    let port = Some(options.get_port()).filter(|port| socket.is_none() && *port != DEFAULT_PORT);
    // The brackets belong to the URL, not to the address.
    let address = socket.unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned());
    Endpoint {
        namespace: Some(database.to_owned()),
        address: Some(address),
        port,
    }
}

/// `db.response.status_code`: the SQLSTATE.
pub(super) fn status_code(error: &dyn DatabaseError) -> Option<Cow<'_, str>> {
    error.code()
}

/// Whether the server's words quote names of the schema at most, and so may go on record. The values of a violated
/// constraint are in the error's details, which are never looked at.
pub(super) fn quotes_names_only(error: &dyn DatabaseError) -> bool {
    // Constraints, conflicts of transactions, too little of something, locks, cancellations.
    const CLASSES: [&str; 5] = ["23", "40", "53", "55", "57"];
    // A database, a right or a table that is not there. Not a column: text in the wrong quotes is taken for one.
    const CODES: [&str; 3] = ["3D000", "42501", "42P01"];
    error.code().is_some_and(|code| {
        CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&&*code)
    })
}

pub(super) fn constraint(error: &dyn DatabaseError) -> Option<&str> {
    error.constraint()
}

/// What the tests of this folder need of a database.
#[cfg(test)]
pub(super) mod testing {
    use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

    /// The code of a duplicate key.
    pub(in super::super) const DUPLICATE: &str = "23505";
    pub(in super::super) const INSERT: &str = "INSERT INTO users (id, name) VALUES ($1, $2)";
    pub(in super::super) const FIND: &str = "SELECT name FROM users WHERE id = $1";
    /// Fails with a value of the statement in the server's words.
    pub(in super::super) const TALKATIVE: &str = "SELECT 'hunter2'::integer";
    const CREATE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)";

    const VARIABLE: &str = "TEST_POSTGRES_URL";
    const USUAL: &str = "postgres://postgres:postgres@localhost:5432/postgres";

    /// A database with an empty table, which goes when this is dropped.
    pub(in super::super) struct Database {
        name: String,
        pub(in super::super) options: PgConnectOptions,
    }

    impl Database {
        pub(in super::super) async fn new() -> Self {
            let name = format!("test_{}", uuid::Uuid::new_v4().simple());
            execute(&server(), &format!("CREATE DATABASE {name}")).await;
            let options = server().database(&name);
            execute(&options, CREATE).await;
            Self { name, options }
        }

        /// What all signals say of where it is.
        pub(in super::super) fn place(&self) -> Vec<(&'static str, String)> {
            let mut place = vec![
                ("db.namespace", self.name.clone()),
                ("server.address", self.options.get_host().to_owned()),
            ];
            let port = self.options.get_port();
            place.extend((port != 5432).then(|| ("server.port", port.to_string())));
            place
        }
    }

    impl Drop for Database {
        fn drop(&mut self) {
            let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            // Dropping cannot wait; another thread can.
            let dropped = std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                runtime.block_on(execute(&server(), &sql));
            });
            dropped.join().expect("the database can be dropped");
        }
    }

    fn server() -> PgConnectOptions {
        let url = std::env::var(VARIABLE).unwrap_or_else(|_| USUAL.to_owned());
        url.parse().expect("the variable holds a URL")
    }

    async fn execute(options: &PgConnectOptions, sql: &str) {
        let mut connection = PgConnection::connect_with(options)
            .await
            .unwrap_or_else(|error| {
                panic!(
                    "tests need PostgreSQL: {error}. Set {VARIABLE} to an administrator's URL, or start one:\n  \
                     docker run --rm -p 5432:5432 -e POSTGRES_PASSWORD=postgres postgres"
                )
            });
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql)
            .execute(&mut connection)
            .await
            .expect("the statement is valid");
    }

    #[test]
    fn the_place_is_what_the_url_says() {
        for (url, place) in [
            ("postgres://ada@db.example/shop", "shop db.example None"),
            (
                "postgres://ada:secret@10.0.0.1:5433/shop",
                "shop 10.0.0.1 Some(5433)",
            ),
            ("postgres://ada@[::1]:5432", "ada ::1 None"),
            (
                "postgres://ada@x/shop?host=/run/postgresql",
                "shop /run/postgresql None",
            ),
        ] {
            let options = url.parse().expect("a database URL");
            let endpoint = super::endpoint(&options);
            let (name, address) = (endpoint.namespace, endpoint.address);
            let shown = format!(
                "{} {} {:?}",
                name.unwrap_or_default(),
                address.unwrap_or_default(),
                endpoint.port
            );
            assert_eq!(shown, place, "{url}");
        }
    }
}

//! MySQL: what the instrumentation needs to know about this database, and nothing else does.
//! <https://opentelemetry.io/docs/specs/semconv/db/mysql/>

use std::borrow::Cow;

use sqlx::{
    error::DatabaseError,
    mysql::{MySqlConnectOptions, MySqlDatabaseError},
};

use super::{Endpoint, token::Dialect};

/// The sqlx driver of this service's database.
pub type Driver = sqlx::MySql;

/// `db.system.name`, by the driver: that a MariaDB answers it is known to the connection only.
pub(super) const SYSTEM: &str = "mysql";

const DEFAULT_PORT: u16 = 3306;

pub(super) const DIALECT: Dialect = Dialect {
    text_quotes: b"'\"",
    name_quotes: b"`",
    backslash_escapes: true,
    dollar_quotes: false,
    hash_comments: true,
    dashes_need_space: true,
};

/// The namespace is the database, if the URL names one.
pub(super) fn endpoint(options: &MySqlConnectOptions) -> Endpoint {
    let (address, port) = match options.get_socket() {
        Some(path) => (path.display().to_string(), None),
        // The brackets of an IPv6 address belong to the URL, not to the address.
        None => (
            options.get_host().trim_matches(['[', ']']).to_owned(),
            Some(options.get_port()).filter(|port| *port != DEFAULT_PORT),
        ),
    };
    Endpoint {
        namespace: options.get_database().map(str::to_owned),
        address: Some(address),
        port,
    }
}

/// `db.response.status_code`: the vendor's error code. sqlx calls the SQLSTATE the code, which is the same for many.
pub(super) fn status_code(error: &dyn DatabaseError) -> Option<Cow<'_, str>> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(Cow::Owned(error.number().to_string()))
}

/// Whether the server's words quote names of the schema at most, and so may go on record.
pub(super) fn quotes_names_only(error: &dyn DatabaseError) -> bool {
    // Connections, columns without a value, tables, locks, rights, foreign keys, time.
    const NAMES_ONLY: [u16; 10] = [1040, 1048, 1146, 1205, 1213, 1290, 1364, 1451, 1452, 3024];
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.is_some_and(|error| NAMES_ONLY.contains(&error.number()))
}

/// `Duplicate entry 'ada' for key 'users.email'`: the key comes last, whatever the value holds.
pub(super) fn constraint(error: &dyn DatabaseError) -> Option<&str> {
    let (_, key) = error.message().rsplit_once(" for key '")?;
    key.strip_suffix('\'')
}

/// What the tests of this folder need of a database.
#[cfg(test)]
pub(super) mod testing {
    use sqlx::{Connection as _, MySqlConnection, mysql::MySqlConnectOptions};

    /// The code of a duplicate key.
    pub(in super::super) const DUPLICATE: &str = "1062";
    pub(in super::super) const INSERT: &str = "INSERT INTO users (id, name) VALUES (?, ?)";
    pub(in super::super) const FIND: &str = "SELECT name FROM users WHERE id = ?";
    /// Fails with a value of the statement in the server's words.
    pub(in super::super) const TALKATIVE: &str = "SELECT FROM 'hunter2'";
    const CREATE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)";

    const VARIABLE: &str = "TEST_MYSQL_URL";
    const USUAL: &str = "mysql://root:root@localhost:3306/mysql";

    /// A database with an empty table, which goes when this is dropped.
    pub(in super::super) struct Database {
        name: String,
        pub(in super::super) options: MySqlConnectOptions,
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
            place.extend((port != 3306).then(|| ("server.port", port.to_string())));
            place
        }
    }

    impl Drop for Database {
        fn drop(&mut self) {
            let sql = format!("DROP DATABASE {}", self.name);
            // Dropping cannot wait; another thread can.
            let dropped = std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                runtime.block_on(execute(&server(), &sql));
            });
            dropped.join().expect("the database can be dropped");
        }
    }

    fn server() -> MySqlConnectOptions {
        let url = std::env::var(VARIABLE).unwrap_or_else(|_| USUAL.to_owned());
        url.parse().expect("the variable holds a URL")
    }

    async fn execute(options: &MySqlConnectOptions, sql: &str) {
        let mut connection = MySqlConnection::connect_with(options)
            .await
            .unwrap_or_else(|error| {
                panic!(
                    "tests need MySQL or MariaDB: {error}. Set {VARIABLE} to an administrator's URL, or start one:\n  \
                     docker run --rm -p 3306:3306 -e MYSQL_ROOT_PASSWORD=root mysql"
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
            ("mysql://ada@db.example/shop", "shop db.example None"),
            (
                "mysql://ada:secret@10.0.0.1:3307/shop",
                "shop 10.0.0.1 Some(3307)",
            ),
            ("mysql://ada@[::1]:3306", " ::1 None"),
            (
                "mysql://ada@x/shop?socket=/run/mysqld.sock",
                "shop /run/mysqld.sock None",
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

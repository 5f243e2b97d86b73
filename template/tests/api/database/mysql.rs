//! A database of its own for each test, on a real server.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::SocketAddr,
};

use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, mysql::MySqlConnectOptions};

/// What the server says of a table that is not there.
pub const NO_TABLE: &str = "1146";

const VARIABLE: &str = "TEST_MYSQL_URL";
const USUAL: &str = "mysql://root:root@localhost:3306/mysql";

pub struct Database {
    name: String,
    url: String,
}

impl Database {
    pub async fn new() -> Self {
        let name = format!("test_{:x}", RandomState::new().hash_one(0));
        let url = server().database(&name).to_url_lossy().to_string();
        execute(&server(), format!("CREATE DATABASE {name}")).await;
        Self { name, url }
    }

    /// Changes the data behind the service's back.
    pub async fn execute(&self, sql: &'static str) {
        execute(&server().database(&self.name), sql.to_owned()).await;
    }

    /// Nobody else can add a user until the connection is closed.
    pub async fn lock_users(&self) -> MySqlConnection {
        let connection = MySqlConnection::connect_with(&server().database(&self.name)).await;
        let mut connection = connection.expect("the database is there");
        let sql = "LOCK TABLES users WRITE";
        let locked = sqlx::raw_sql(sql).execute(&mut connection).await;
        locked.expect("nobody else has locked them");
        connection
    }

    /// `host:port` of the server.
    pub fn server(&self) -> String {
        let server = server();
        format!("{}:{}", server.get_host(), server.get_port())
    }

    /// The URL of this database if its server were here.
    pub fn url_at(&self, address: SocketAddr) -> String {
        let options = server().host(&address.ip().to_string());
        let options = options.port(address.port()).database(&self.name);
        options.to_url_lossy().to_string()
    }

    /// What the service is to be started with.
    pub fn arguments(&self) -> [&str; 2] {
        ["--database-url", &self.url]
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {}", self.name);
        // Dropping cannot wait; another thread can.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(execute(&server(), sql));
        });
        dropped.join().expect("the database can be dropped");
    }
}

/// The server that makes the databases, as its administrator.
fn server() -> MySqlConnectOptions {
    let url = std::env::var(VARIABLE).unwrap_or_else(|_| USUAL.to_owned());
    url.parse().expect("the variable holds a URL")
}

async fn execute(options: &MySqlConnectOptions, sql: String) {
    let mut connection = MySqlConnection::connect_with(options)
        .await
        .unwrap_or_else(|error| {
            panic!(
                "tests need MySQL or MariaDB: {error}. Set {VARIABLE} to an administrator's URL, or start one:\n  \
                 docker run --rm -p 3306:3306 -e MYSQL_ROOT_PASSWORD=root mysql"
            )
        });
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .expect("the statement is valid");
}

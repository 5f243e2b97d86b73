//! A database file of its own for each test.

use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

/// What SQLite says of a table that is not there, as of many other mistakes.
pub const NO_TABLE: &str = "1";

pub struct Database {
    url: String,
    _folder: TempDir,
}

impl Database {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!(
            "sqlite:{}?mode=rwc",
            folder.path().join("test.db").display()
        );
        Self {
            url,
            _folder: folder,
        }
    }

    /// Changes the data behind the service's back.
    pub async fn execute(&self, sql: &'static str) {
        let mut connection = SqliteConnection::connect(&self.url)
            .await
            .expect("the database is there");
        sqlx::query(sql)
            .execute(&mut connection)
            .await
            .expect("the statement is valid");
    }

    /// Nobody else can add a user until the connection is closed.
    pub async fn lock_users(&self) -> SqliteConnection {
        let connection = SqliteConnection::connect(&self.url).await;
        let mut connection = connection.expect("the database is there");
        let sql = "BEGIN IMMEDIATE";
        let locked = sqlx::raw_sql(sql).execute(&mut connection).await;
        locked.expect("nobody else has locked them");
        connection
    }

    /// What the service is to be started with.
    pub fn arguments(&self) -> [&str; 2] {
        ["--database-url", &self.url]
    }
}

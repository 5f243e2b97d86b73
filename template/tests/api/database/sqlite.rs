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

    /// What the service is to be started with.
    pub fn arguments(&self) -> [&str; 2] {
        ["--database-url", &self.url]
    }
}

//! A statement that finds one row in SQLite, in memory.

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;

use crate::{Form, Result, Work, repeat};

const FIND: &str = "SELECT name FROM users WHERE id = ?";

pub(crate) async fn run(work: Work) -> Result<Duration> {
    let raw = SqlitePoolOptions::new().max_connections(1);
    let raw = raw.connect("sqlite::memory:").await?;
    for statement in [
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
        "INSERT INTO users (id, name) VALUES (1, 'Ada')",
    ] {
        sqlx::query(statement).execute(&raw).await?;
    }
    let find = || sqlx::query_scalar::<_, String>(FIND).bind(1_i64);
    if work.form == Form::Bare {
        let pool = &raw;
        return Ok(repeat(work.count, |_| find().fetch_one(pool)).await);
    }
    let pool = &telemetry::sql::Pool::new(raw, "bench");
    Ok(repeat(work.count, |_| find().fetch_one(pool)).await)
}

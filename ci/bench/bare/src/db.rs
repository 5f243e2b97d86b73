//! The database.

use std::str::FromStr as _;

use sqlx::{
    ConnectOptions as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use crate::config::Config;

pub async fn connect(config: &Config) -> anyhow::Result<SqlitePool> {
    let options = SqliteConnectOptions::from_str(&config.database_url)?
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(config.database_statement_timeout)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(config.database_max_connections)
        .acquire_timeout(config.database_timeout)
        .connect_with(options)
        .await?;
    if config.is_development() {
        sqlx::migrate!().run(&pool).await?;
        let seed = sqlx::raw_sql(include_str!("../migrations/seed.sql"));
        seed.execute(&pool).await?;
    }
    Ok(pool)
}

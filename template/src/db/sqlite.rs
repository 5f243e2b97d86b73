//! The database: SQLite, and all SQL text of the service.

use std::{str::FromStr as _, time::Duration};

use anyhow::Context as _;
use clap::Args;
use http::StatusCode;
use sqlx::{
    ConnectOptions as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use telemetry::{Recorded, sql};

use crate::{
    config::Config,
    error::{AppError, Failure},
};

pub const SELECT_USER: &str = "SELECT id, name, email FROM users WHERE id = ?";

const INSERT_USER: &str = "INSERT INTO users (name, email) VALUES (?, ?) RETURNING id";

/// Text, category, limit; empty text matches everything.
pub const SEARCH_PRODUCTS: &str = "
    SELECT id, name, category, price_cents FROM products
    WHERE instr(lower(name), lower(?1)) > 0 AND (?2 = '' OR category = ?2)
    ORDER BY id LIMIT ?3";

/// Settings of the database.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Database to use, such as sqlite:/var/lib/shop/shop.db?mode=rwc (`rwc` creates it).
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite:service.db?mode=rwc",
        hide_env_values = true
    )]
    pub url: String,

    /// Connections to the database at most.
    #[arg(
        id = "database_max_connections",
        long = "database-max-connections",
        env = "DATABASE_MAX_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 10
    )]
    pub max_connections: u32,

    /// How long a request waits for a free connection, and the start for the database.
    #[arg(id = "database_timeout", long = "database-timeout", env = "DATABASE_TIMEOUT", value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// The connected database.
#[derive(Debug, Clone)]
pub struct Db {
    /// Every query through it is a span and a measurement.
    pub pool: sql::Pool,
}

impl Db {
    /// Connects. In development the schema is brought up to date and example rows are added.
    ///
    /// # Errors
    /// When the database cannot be reached or its schema cannot be updated.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let db = Self {
            pool: sql::Pool::new(open(config).await?, "db"),
        };
        if config.is_development() {
            db.migrate().await?;
            let seed =
                sqlx::raw_sql(include_str!("../migrations/seed.sql")).execute(db.pool.inner());
            seed.await.context("the example rows cannot be added")?;
        }
        Ok(db)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // Past the instrumentation: schema changes at start belong to no request.
        let migrations = sqlx::migrate!().run(self.pool.inner());
        migrations
            .await
            .context("the database's schema cannot be brought up to date")
    }

    /// Whether the database answers. Not traced: load balancers ask all the time.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self) -> sqlx::Result<()> {
        sqlx::query("SELECT 1")
            .execute(self.pool.inner())
            .await
            .map(drop)
    }

    /// Waits for running queries and closes all connections.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

async fn open(config: &Config) -> anyhow::Result<sqlx::SqlitePool> {
    let settings = &config.db;
    // The URL of another database would hold a password: errors name the variable, not the value.
    let form = "DATABASE_URL is not understood; it must be like sqlite:shop.db?mode=rwc";
    anyhow::ensure!(settings.url.starts_with("sqlite:"), form);
    let options = SqliteConnectOptions::from_str(&settings.url)
        .context(form)?
        .journal_mode(SqliteJournalMode::Wal) // readers do not wait for the writer
        .busy_timeout(settings.timeout)
        .disable_statement_logging(); // the span says it all
    let pool = SqlitePoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.timeout);
    pool.connect_with(options)
        .await
        .context("the database at DATABASE_URL cannot be opened")
}

/// Bring the database's schema up to date, then exit. At start this happens in development only.
#[derive(Debug, Clone, Args)]
pub struct Migrate {}

impl Migrate {
    pub(crate) async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let db = Db {
            pool: sql::Pool::new(open(config).await?, "db"),
        };
        db.migrate().await?;
        db.close().await;
        tracing::info!("the schema is up to date");
        Ok(())
    }
}

/// Adds a user and gives its id.
pub(crate) async fn insert_user(pool: &sql::Pool, name: &str, email: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(INSERT_USER)
        .bind(name)
        .bind(email)
        .fetch_one(pool)
        .await
}

impl From<Recorded<sqlx::Error>> for AppError {
    fn from(recorded: Recorded<sqlx::Error>) -> Self {
        Self::Failed(failure(&recorded.0))
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        let mut failure = failure(&error);
        failure.cause = Some(error.into());
        Self::Failed(failure)
    }
}

/// A database that is away or busy is 503, so that clients try again; anything else is a mistake of ours.
fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: "database_unavailable",
            detail: Some("the database is not available"),
            cause: None,
        },
        _ => Failure {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "database",
            detail: None,
            cause: None,
        },
    }
}

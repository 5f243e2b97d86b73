//! The database: connecting, the schema, and what its errors mean to clients.

mod backend;

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use http::StatusCode;
use telemetry::{Recorded, sql};

use crate::{
    config::Config,
    error::{AppError, Failure},
};

pub(crate) use backend::insert_user;
pub use backend::{SEARCH_PRODUCTS, SELECT_USER};

/// Settings of the database.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "URL",
        help = backend::URL_HELP,
        default_value = backend::DEFAULT_URL,
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
        let db = Self::open(config).await?;
        if config.is_development() {
            db.migrate().await?;
            let seed =
                sqlx::raw_sql(include_str!("../../migrations/seed.sql")).execute(db.pool.inner());
            seed.await.context("the example rows cannot be added")?;
        }
        Ok(db)
    }

    async fn open(config: &Config) -> anyhow::Result<Self> {
        let settings = &config.db;
        // The URL may hold a password: errors name the variable, not the value.
        let form = || format!("DATABASE_URL is not understood: {}", backend::URL_HELP);
        anyhow::ensure!(settings.url.starts_with(backend::SCHEME), form());
        let options = backend::options(settings).with_context(form)?;
        let pool = sqlx::pool::PoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.timeout)
            .connect_with(options);
        let pool = pool
            .await
            .context("the database at DATABASE_URL cannot be reached")?;
        Ok(Self {
            pool: sql::Pool::new(pool, "db"),
        })
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

/// Bring the database's schema up to date, then exit. At start this happens in development only.
#[derive(Debug, Clone, Args)]
pub struct Migrate {}

impl Migrate {
    pub(crate) async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let db = Db::open(config).await?;
        db.migrate().await?;
        db.close().await;
        tracing::info!("the schema is up to date");
        Ok(())
    }
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

//! The database: connecting, the schema, and what its errors mean to clients.

mod backend;
mod wait;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use http::StatusCode;
use sqlx::{ConnectOptions as _, Connection as _};
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

    /// How long a request waits for a free connection.
    #[arg(id = "database_timeout", long = "database-timeout", env = "DATABASE_TIMEOUT", value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    #[arg(id = "database_statement_timeout", long = "database-statement-timeout", env = "DATABASE_STATEMENT_TIMEOUT", value_name = "DURATION", help = backend::STATEMENT_TIMEOUT_HELP, default_value = "10s", value_parser = humantime::parse_duration)]
    pub statement_timeout: Duration,

    /// How long the start waits for a database that is away; by default 3s in development, else 1m.
    #[arg(id = "database_start_timeout", long = "database-start-timeout", env = "DATABASE_START_TIMEOUT", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub start_timeout: Option<Duration>,
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
            // Here and below: what sqlx says quotes its causes, and a chain of errors would say them again.
            seed.await
                .map_err(|error| anyhow!("the example rows cannot be added: {error}"))?;
        }
        Ok(db)
    }

    async fn open(config: &Config) -> anyhow::Result<Self> {
        let settings = &config.db;
        // The URL may hold a password: errors name the variable, not the value.
        let form = || {
            let example = backend::DEFAULT_URL;
            format!("DATABASE_URL is not understood; it must be like {example}")
        };
        anyhow::ensure!(settings.url.starts_with(backend::SCHEME), form());
        let options = backend::options(settings).with_context(form)?;
        let default = if config.is_development() { 3 } else { 60 };
        let patience = settings.start_timeout;
        let patience = patience.unwrap_or(Duration::from_secs(default));
        let pool = async {
            wait::until_there(&options, patience).await?;
            backend::pool(settings).connect_with(options).await
        };
        let pool = pool.await.map_err(|error: sqlx::Error| {
            anyhow!("the database at DATABASE_URL cannot be used: {error}")
        })?;
        Ok(Self {
            pool: sql::Pool::new(pool, "db"),
        })
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // Past the instrumentation: schema changes at start belong to no request. And past the pool: they may take longer
        // than its statements.
        let options = self.pool.inner().connect_options();
        let migrate = async {
            let mut connection = options.connect().await?;
            sqlx::migrate!().run(&mut connection).await?;
            connection.close().await?;
            anyhow::Ok(())
        };
        migrate
            .await
            .map_err(|error| anyhow!("the database's schema cannot be brought up to date: {error}"))
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
    let (kind, detail) = match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        // Whoever hangs up during the first words of a connection has said what the protocol does not know.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Io(_) => ("database_unavailable", "the database is not available"),
        sqlx::Error::Database(error) if backend::is_timeout(&**error) => {
            ("database_timeout", "the database took too long")
        }
        sqlx::Error::Database(error) if backend::is_away(&**error) => {
            ("database_unavailable", "the database is not available")
        }
        _ => {
            return Failure {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                kind: "database",
                detail: None,
                is_transient: false,
                cause: None,
            };
        }
    };
    Failure {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind,
        detail: Some(detail),
        is_transient: true,
        cause: None,
    }
}

//! The cache: users in Redis, in front of where they are kept.
//!
//! The service works without it. A Redis that is away or slow costs a request [`Settings::timeout`] at most twice (to
//! connect, to answer), and the next ones nothing: for [`PAUSE`] nobody asks again. Each failure is on record where it
//! happened, on the CLIENT span; to the request it is none.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use redis::{
    AsyncCommands as _, Client, RedisError, RedisResult, SetExpiry, SetOptions,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tracing::Span;

use crate::{config::Config, users::User};

/// How long Redis is left alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Between two warnings that it fails.
const QUIET: Duration = Duration::from_secs(60);

/// Settings of the cache.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Redis to use, such as redis://:password@cache.example.com:6379/0; rediss: is TLS.
    #[arg(
        id = "redis_url",
        long = "redis-url",
        env = "REDIS_URL",
        value_name = "URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub url: String,

    /// What all keys begin with, for services that share a Redis.
    #[arg(
        id = "cache_prefix",
        long = "cache-prefix",
        env = "CACHE_PREFIX",
        value_name = "TEXT",
        default_value = concat!(env!("CARGO_PKG_NAME"), ":")
    )]
    pub prefix: String,

    /// How long what is cached may be out of date.
    #[arg(id = "cache_ttl", long = "cache-ttl", env = "CACHE_TTL", value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub ttl: Duration,

    /// How long Redis may take to connect, and to answer. Then the service goes on without it.
    #[arg(id = "cache_timeout", long = "cache-timeout", env = "CACHE_TIMEOUT", value_name = "DURATION", default_value = "250ms", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// The cache. Cloning it gives the same one.
#[derive(Debug, Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    prefix: String,
    ttl: SetExpiry,
    timeout: Duration,
    link: Mutex<Link>,
}

type Connection = telemetry::redis::Connection<ConnectionManager>;

/// How it stands with Redis.
#[derive(Debug, Default)]
struct Link {
    /// None until it is needed, and after a failure.
    connection: Option<Connection>,
    failed: Option<Instant>,
    warned: Option<Instant>,
    /// Whether the last warning still holds.
    down: bool,
}

/// What the cache said, by its name in `cache.result`.
enum Answer {
    Hit(User),
    Miss,
    Unavailable,
}

impl Cache {
    /// Gets ready; no connection is opened yet.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let settings = &config.cache;
        // The URL may hold a password, and the error would quote it.
        let client = Client::open(settings.url.as_str()).ok();
        let client = client.context(
            "REDIS_URL is not understood; it must be like redis://:password@127.0.0.1:6379/0",
        )?;
        let ttl = u64::try_from(settings.ttl.as_millis()).unwrap_or(u64::MAX);
        anyhow::ensure!(ttl > 0, "CACHE_TTL must be at least 1ms");
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                prefix: settings.prefix.clone(),
                ttl: SetExpiry::PX(ttl),
                timeout: settings.timeout,
                link: Mutex::default(),
            }),
        })
    }

    /// The user with this id: as it is cached, else as `find` finds it, which is cached then. That there is none is not.
    ///
    /// Says on the current span how it went: `cache.result` is `hit`, `miss` or `unavailable`.
    ///
    /// # Errors
    /// What `find` gives; Redis never makes it fail.
    pub async fn user<E>(
        &self,
        id: i64,
        find: impl Future<Output = Result<Option<User>, E>>,
    ) -> Result<Option<User>, E> {
        let answer = self.look_up(id).await;
        let result = match answer {
            Answer::Hit(_) => "hit",
            Answer::Miss => "miss",
            Answer::Unavailable => "unavailable",
        };
        Span::current().record("cache.result", result);
        if let Answer::Hit(user) = answer {
            return Ok(Some(user));
        }
        let user = find.await?;
        if let (Answer::Miss, Some(user)) = (&answer, &user) {
            self.keep(user).await;
        }
        Ok(user)
    }

    /// Drops what is cached of a user: to be called once a change of it is committed. If Redis is away the old state may
    /// be served until [`Settings::ttl`] is over.
    pub async fn forget(&self, id: i64) {
        if let Some(mut connection) = self.connection() {
            let deleted = connection.del(self.key(id)).await;
            self.note::<()>(deleted);
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.link().connection = None;
    }

    async fn look_up(&self, id: i64) -> Answer {
        let Some(mut connection) = self.connection() else {
            return Answer::Unavailable;
        };
        match connection.get::<_, Option<Vec<u8>>>(self.key(id)).await {
            // A key of another type is as corrupt as text that is no user, and not Redis' fault.
            Err(error) if error.code() == Some("WRONGTYPE") => Answer::Miss,
            answered => match self.note(answered) {
                None => Answer::Unavailable,
                Some(text) => text
                    .and_then(|text| serde_json::from_slice::<User>(&text).ok())
                    .filter(|user| user.id == id)
                    .map_or(Answer::Miss, Answer::Hit),
            },
        }
    }

    async fn keep(&self, user: &User) {
        if let Some(mut connection) = self.connection() {
            let text = serde_json::to_string(user).expect("a user holds strings and numbers only");
            let expiring = SetOptions::default().with_expiration(self.shared.ttl);
            let kept = connection.set_options(self.key(user.id), text, expiring);
            self.note::<()>(kept.await);
        }
    }

    fn key(&self, id: i64) -> String {
        format!("{}user:{id}", self.shared.prefix)
    }

    /// A connection, which connects when it is used. None during the pause after a failure.
    fn connection(&self) -> Option<Connection> {
        let Shared {
            client, timeout, ..
        } = &*self.shared;
        let mut link = self.link();
        if link.failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        if link.connection.is_none() {
            // It retries and reconnects by itself no more than it must: a request would wait for that, and a server that
            // vanished without a word would be waited for until TCP gives up. A new one is as good, and at once.
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_connection_timeout(Some(*timeout))
                .set_response_timeout(Some(*timeout));
            let raw = client.get_connection_manager_lazy(config).ok()?;
            let info = client.get_connection_info();
            link.connection = Some(Connection::new(raw, info));
        }
        link.connection.clone()
    }

    /// Takes note of how Redis answered. None if it did not.
    fn note<T>(&self, answered: RedisResult<T>) -> Option<T> {
        match answered {
            Ok(answer) => {
                let recovered = std::mem::take(&mut self.link().down);
                if recovered {
                    tracing::info!("the cache answers again");
                }
                Some(answer)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn failed(&self, error: &RedisError) {
        let now = Instant::now();
        let mut link = self.link();
        link.connection = None;
        link.failed = Some(now);
        if link.warned.is_none_or(|at| now - at > QUIET) {
            link.warned = Some(now);
            link.down = true;
            drop(link);
            // Its class only: the text may quote what was sent.
            let error = telemetry::redis::error_type(error);
            tracing::warn!(error.type = error, "the cache fails; the service goes on without it");
        }
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        let link = self.shared.link.lock();
        link.unwrap_or_else(PoisonError::into_inner)
    }
}

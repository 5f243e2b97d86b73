//! Keys of its own for each test, in a Redis that all of them share.

use redis::{AsyncCommands as _, aio::MultiplexedConnection};
use telemetry::testing::Trace;

/// Names the Redis.
const URL: &str = "TEST_REDIS_URL";

/// Seconds after which nothing of a test is left.
const LIFETIME: u64 = 60;

pub struct Keyspace {
    url: String,
    prefix: String,
}

impl Keyspace {
    /// # Panics
    /// When no Redis is named.
    pub async fn new() -> Self {
        let url = std::env::var(URL).unwrap_or_else(|_| {
            panic!(
                "these tests need a Redis server, and {URL} names none:\n  \
                 docker run --rm -d -p 6379:6379 redis:7-alpine; export {URL}=redis://127.0.0.1:6379"
            )
        });
        Self {
            url,
            // No two traces have the same id.
            prefix: format!("test:{}:", Trace::new().id()),
        }
    }

    /// What the service is to be started with.
    pub fn arguments(&self) -> [&str; 5] {
        [
            "--redis-url",
            &self.url,
            "--cache-prefix",
            &self.prefix,
            // A busy machine must not look like a Redis that is away.
            "--cache-timeout=10s",
        ]
    }

    pub async fn get(&self, key: &str) -> Option<String> {
        let mut connection = self.connection().await;
        let value = connection.get(self.key(key)).await;
        value.expect("the server answers")
    }

    /// Changes what is cached behind the service's back.
    pub async fn set(&self, key: &str, value: &str) {
        let mut connection = self.connection().await;
        let set = connection.set_ex(self.key(key), value, LIFETIME).await;
        let () = set.expect("the server answers");
    }

    /// `host:port` of the server.
    pub fn server(&self) -> String {
        self.client().get_connection_info().addr().to_string()
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url.as_str())
            .unwrap_or_else(|_| panic!("{URL} must be like redis://127.0.0.1:6379"))
    }

    async fn connection(&self) -> MultiplexedConnection {
        let connection = self.client().get_multiplexed_async_connection().await;
        connection.unwrap_or_else(|_| panic!("no Redis answers at {URL}"))
    }
}

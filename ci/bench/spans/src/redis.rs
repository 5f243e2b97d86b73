//! A command of Redis, on a connection that answers by itself.

use std::future::ready;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{AsyncCommands as _, Cmd, Pipeline, RedisFuture, Value};

use crate::{Form, Result, Work, repeat};

#[derive(Clone)]
struct Answers;

impl ConnectionLike for Answers {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(ready(Ok(Value::Nil)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn get_db(&self) -> i64 {
        0
    }
}

pub(crate) async fn run(work: Work) -> Result<Duration> {
    if work.form == Form::Bare {
        return Ok(commands(Answers, work.count).await);
    }
    let client = redis::Client::open("redis://127.0.0.1:6379")?;
    let connection = telemetry::redis::Connection::new(Answers, client.get_connection_info());
    Ok(commands(connection, work.count).await)
}

async fn commands(connection: impl ConnectionLike + Clone + Send + Sync, count: u64) -> Duration {
    repeat(count, |_| {
        let mut connection = connection.clone();
        async move { connection.get::<_, Option<String>>("user:1").await }
    })
    .await
}

//! The queue, in the Redis that is the cache too.

use redis::AsyncCommands as _;

use crate::app::App;

/// How many jobs are there that were given up.
pub async fn given_up(app: &App) -> i64 {
    let [_, url, _, prefix, _] = app.keyspace.arguments();
    let client = redis::Client::open(url).expect("the variable holds a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("the server answers");
    let count = connection.scard(format!("{prefix}welcome:dead")).await;
    count.expect("the queue is there")
}

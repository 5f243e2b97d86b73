//! The queue, in the service's own database.

use sqlx::{Connection as _, SqliteConnection};

use crate::app::App;

/// How many jobs are there that were given up.
pub async fn given_up(app: &App) -> i64 {
    let [_, url] = app.database.arguments();
    let connection = SqliteConnection::connect(url).await;
    let mut connection = connection.expect("the database is there");
    let count = sqlx::query_scalar("SELECT count(*) FROM Jobs WHERE status = 'Killed'");
    let count = count.fetch_one(&mut connection).await;
    count.expect("the queue is there")
}

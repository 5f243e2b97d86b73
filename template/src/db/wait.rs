//! Waiting for the database when the service starts: the two may have been started together.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions as _, Connection, Database};
use telemetry::sql::Driver;
use tokio::time::{sleep, timeout};

use super::backend;

/// Between two attempts, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

type Options = <<Driver as Database>::Connection as Connection>::Options;

/// Returns when the database can be connected to.
///
/// # Errors
/// What it said last, when it was not there in time; at once what waiting does not mend, such as a wrong password.
pub(super) async fn until_there(options: &Options, patience: Duration) -> sqlx::Result<()> {
    let deadline = Instant::now() + patience;
    let [mut pause, longest] = PAUSES;
    let mut waits = false;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match timeout(left, options.connect()).await {
            Ok(Ok(connection)) => return connection.close().await,
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(ErrorKind::TimedOut.into()),
        };
        if !is_passing(&error) || deadline.saturating_duration_since(Instant::now()) <= pause {
            return Err(error);
        }
        if !waits {
            tracing::warn!(exception.message = %error, "the database is not there yet; waiting for it {patience:?} at most");
            waits = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => backend::is_away(&**error),
        _ => false,
    }
}

//! A database that the service cannot start with, which it must say in a sentence.

use std::time::Duration;

use service::{config::Config, state::AppState};

use crate::app::App;

async fn refused(config: &Config) -> String {
    let started = AppState::connect(config).await;
    let error = started.expect_err("the service does not start");
    format!("{error:#}")
}

#[tokio::test]
async fn a_migration_that_is_half_done_is_named() {
    let (config, app) = App::prepare(&[]).await;
    let state = AppState::connect(&config).await;
    state.expect("the service starts").close().await;
    let half_done = "UPDATE _sqlx_migrations SET success = false";
    app.database.execute(half_done).await;

    let error = refused(&config).await;

    let start =
        "the database's schema cannot be brought up to date: migration 1 is partially applied";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn what_the_database_says_is_told_once() {
    let (config, app) = App::prepare(&[]).await;
    let state = AppState::connect(&config).await;
    state.expect("the service starts").close().await;
    app.database.execute("DROP TABLE products").await;

    let error = refused(&config).await;

    let (_, said) = error.rsplit_once(": ").expect("what it says");
    assert_eq!(error.matches(said).count(), 1, "{error}");
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_not_shown() {
    let (config, _app) = App::prepare(&[]).await;
    let scheme = config.db.url.split(':').next().unwrap_or_default();
    for url in [
        "s3cr3t-canary".to_owned(),
        "http://ada:s3cr3t-canary@localhost/".to_owned(),
        format!("{scheme}://ada:s3cr3t-canary@localhost:port/"),
    ] {
        let mut config = config.clone();
        config.db.url = url;
        config.db.start_timeout = Some(Duration::ZERO);
        let error = refused(&config).await;
        assert!(error.contains("DATABASE_URL"), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}

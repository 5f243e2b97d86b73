//! A database server that is away, when the service starts and later.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use service::{config::Config, state::AppState};
use telemetry::testing::Trace;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    time::timeout,
};

use crate::app::App;

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// A way to the database that can be barred: then it hangs up on whoever is on it, or comes.
struct Way {
    is_open: watch::Sender<bool>,
    turned_away: Arc<Notify>,
}

impl Way {
    /// Leads `app` to its database by a way that is barred.
    async fn of(config: &mut Config, app: &App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        config.db.url = app.database.url_at(address);
        let way = Self {
            is_open: watch::Sender::new(false),
            turned_away: Arc::default(),
        };
        let (is_open, turned_away) = (way.is_open.subscribe(), way.turned_away.clone());
        let server = app.database.server();
        tokio::spawn(lead(listener, server, is_open, turned_away));
        way
    }

    fn open(&self) {
        self.is_open.send_replace(true);
    }

    fn bar(&self) {
        self.is_open.send_replace(false);
    }
}

async fn lead(
    listener: TcpListener,
    server: String,
    is_open: watch::Receiver<bool>,
    turned_away: Arc<Notify>,
) {
    while let Ok((mut near, _)) = listener.accept().await {
        if !*is_open.borrow() {
            turned_away.notify_one();
            continue;
        }
        let (server, mut is_open) = (server.clone(), is_open.clone());
        tokio::spawn(async move {
            let mut far = TcpStream::connect(server).await.expect("a server");
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = is_open.wait_for(|is_open| !is_open) => {}
            }
        });
    }
}

#[tokio::test]
async fn a_database_that_goes_away_is_noticed_and_so_is_its_return() {
    let (mut config, app) = App::prepare(&["--database-timeout=1s"]).await;
    let way = Way::of(&mut config, &app).await;
    way.open();
    let state = AppState::connect(&config).await;
    let app = app.serve(&config, state.expect("the service starts")).await;
    // Nobody whom a cache would know.
    let nobody = "/users/999";
    assert_eq!(app.get(&Trace::new(), nobody).await.status, 404);
    assert_eq!(app.get(&Trace::new(), "/readyz").await.status, 200);

    way.bar();

    let trace = Trace::new();
    let reply = app.get(&trace, nobody).await;
    let detail = reply.problem(503, &trace);
    assert_eq!(detail, "the database is not available");
    assert_eq!(reply.header("retry-after"), "1");
    let tree = trace.tree().await;
    let start = "SERVER GET /users/{id} ERROR database_unavailable\n";
    assert!(tree.starts_with(start), "{tree}");
    let ready = app.get(&Trace::new(), "/readyz").await;
    assert_eq!(
        (ready.status, &ready.body["checks"]["db"]),
        (503, &"failed".into())
    );
    assert_eq!(app.get(&Trace::new(), "/healthz").await.status, 200);

    way.open();

    let recovered = async { while app.get(&Trace::new(), nobody).await.status != 404 {} };
    timeout(SOON, recovered).await.expect("it recovers");
    assert_eq!(app.get(&Trace::new(), "/readyz").await.status, 200);
}

#[tokio::test]
async fn the_start_waits_for_the_database() {
    let (mut config, app) = App::prepare(&["--database-start-timeout=1m"]).await;
    let way = Way::of(&mut config, &app).await;
    let turned_away = way.turned_away.clone();
    let opened = async {
        turned_away.notified().await;
        way.open();
    };

    let starting = async { tokio::join!(AppState::connect(&config), opened).0 };
    let started = timeout(SOON, starting).await.expect("in time");

    started.expect("the service starts").close().await;
}

#[tokio::test]
async fn the_start_does_not_wait_for_ever_and_says_for_what() {
    let (mut config, app) = App::prepare(&["--database-start-timeout=500ms"]).await;
    let _barred = Way::of(&mut config, &app).await;

    let started = timeout(SOON, AppState::connect(&config)).await;

    let error = started.expect("in time").expect_err("there is no database");
    let error = format!("{error:#}");
    let start = "the database at DATABASE_URL cannot be used: ";
    assert!(error.starts_with(start), "{error}");
    assert!(!error.contains(&config.db.url), "{error}");
}

#[tokio::test]
async fn a_password_that_is_wrong_is_not_waited_for_and_not_shown() {
    let (mut config, app) = App::prepare(&["--database-start-timeout=1m"]).await;
    let server: SocketAddr = tokio::net::lookup_host(app.database.server())
        .await
        .expect("an address")
        .next()
        .expect("an address");
    let url = app.database.url_at(server);
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (_, place) = rest.split_once('@').expect("a user");
    config.db.url = format!("{scheme}://nobody:s3cr3t-canary@{place}");

    let started = timeout(SOON, AppState::connect(&config)).await;

    let error = started.expect("at once").expect_err("nobody is not let in");
    let error = format!("{error:#}");
    assert!(error.contains("DATABASE_URL"), "{error}");
    assert!(!error.contains("s3cr3t"), "{error}");
}

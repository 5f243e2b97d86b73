use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use service::{cache::Cache, users::User};
use telemetry::testing::{Trace, attribute};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::{
    app::{App, parse},
    keyspace::Keyspace,
};

/// A user as it is looked up without the cache, or with it.
const LOOK_UP: &str = "SERVER GET /users/{id}\n  INTERNAL db.get_user\n";

/// `cache.result` and `db.result` of the look-up, and the whole trace.
async fn look_up(app: &App, status: u16) -> (Option<String>, Option<String>, String) {
    let trace = Trace::new();
    let path = if status == 200 {
        "/users/1"
    } else {
        "/users/999"
    };
    assert_eq!(app.get(&trace, path).await.status, status);
    let span = trace.span("db.get_user").await;
    let tree = trace.tree().await;
    assert!(tree.starts_with(LOOK_UP), "{tree}");
    let exceptions: usize = trace.spans().iter().map(|span| span.events.len()).sum();
    assert_eq!(exceptions, 0);
    (
        attribute(&span, "cache.result"),
        attribute(&span, "db.result"),
        tree[LOOK_UP.len()..].to_owned(),
    )
}

fn address_of_nobody() -> SocketAddr {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    nobody.local_addr().expect("a bound port")
}

#[tokio::test]
async fn the_second_look_up_is_a_hit() {
    let app = App::start().await;

    let (cache, found, tree) = look_up(&app, 200).await;
    assert_eq!(cache.as_deref(), Some("miss"));
    assert_eq!(found.as_deref(), Some("found"));
    assert!(tree.starts_with("    CLIENT GET\n"), "{tree}");
    assert!(tree.ends_with("    CLIENT SET\n"), "{tree}");

    let (cache, found, tree) = look_up(&app, 200).await;
    assert_eq!(cache.as_deref(), Some("hit"));
    assert_eq!(found.as_deref(), Some("found"));
    assert_eq!(tree, "    CLIENT GET\n");
    let trace = Trace::new();
    assert_eq!(
        app.get(&trace, "/users/1").await.body["name"],
        "Ada Lovelace"
    );
}

#[tokio::test]
async fn that_there_is_no_user_is_not_cached() {
    let app = App::start().await;
    for _ in 0..2 {
        let (cache, found, tree) = look_up(&app, 404).await;
        assert_eq!(cache.as_deref(), Some("miss"));
        assert_eq!(found.as_deref(), Some("not_found"));
        assert!(!tree.contains("CLIENT SET"), "{tree}");
    }
}

#[tokio::test]
async fn what_is_no_user_is_a_miss_and_replaced() {
    let app = App::start().await;
    let another = r#"{"id":2,"name":"Alan Turing","email":"alan@example.com"}"#;
    for corrupt in ["{", "{}", "null", another] {
        app.keyspace.set("user:1", corrupt).await;
        let (cache, _, _) = look_up(&app, 200).await;
        assert_eq!(cache.as_deref(), Some("miss"), "{corrupt}");
        let (cache, _, _) = look_up(&app, 200).await;
        assert_eq!(cache.as_deref(), Some("hit"), "{corrupt}");
    }
}

#[tokio::test]
async fn what_is_cached_ends() {
    let app = App::start_with(&["--cache-ttl=10ms"]).await;
    look_up(&app, 200).await;
    let expired = async { while app.keyspace.get("user:1").await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), expired)
        .await
        .expect("it expires");
    let (cache, _, _) = look_up(&app, 200).await;
    assert_eq!(cache.as_deref(), Some("miss"));
}

#[tokio::test]
async fn a_user_that_is_forgotten_is_looked_up_again() {
    let keyspace = Keyspace::new().await;
    let mut command = vec!["service"];
    command.extend(keyspace.arguments());
    let cache = Cache::connect(&parse(command)).await.expect("ready");
    let named = |name: &str| {
        let (id, name, email) = (1, name.to_owned(), "ada@example.com".to_owned());
        async move { Ok::<_, Infallible>(Some(User { id, name, email })) }
    };
    let name_of =
        |found: Result<Option<User>, Infallible>| found.ok().flatten().map(|user| user.name);

    assert_eq!(
        name_of(cache.user(1, named("Ada")).await).as_deref(),
        Some("Ada")
    );
    assert_eq!(
        name_of(cache.user(1, named("Augusta")).await).as_deref(),
        Some("Ada")
    );
    cache.forget(1).await;
    assert_eq!(
        name_of(cache.user(1, named("Augusta")).await).as_deref(),
        Some("Augusta")
    );
    cache.close().await;
}

#[tokio::test]
async fn without_redis_the_service_works_and_recovers_by_itself() {
    let address = address_of_nobody();
    let app = App::start_with(&["--redis-url", &format!("redis://{address}")]).await;

    let (cache, found, tree) = look_up(&app, 200).await;
    assert_eq!(cache.as_deref(), Some("unavailable"));
    assert_eq!(found.as_deref(), Some("found"));
    let start = "    CLIENT GET ERROR connection_refused\n";
    assert!(tree.starts_with(start), "{tree}");
    assert!(!tree.contains("CLIENT SET"), "{tree}");
    let ready = app.get(&Trace::new(), "/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");

    // Redis comes back: here something that leads to it.
    let listener = TcpListener::bind(address).await.expect("still free");
    let server = app.keyspace.server();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(&server).await.expect("a server");
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let recovered = async { while look_up(&app, 200).await.0.as_deref() != Some("hit") {} };
    tokio::time::timeout(Duration::from_secs(10), recovered)
        .await
        .expect("it recovers");
}

#[tokio::test]
async fn a_redis_that_hangs_holds_no_request() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("a bound port");
    let url = format!("redis://{address}");
    let app = App::start_with(&["--redis-url", &url, "--cache-timeout=100ms"]).await;

    let (cache, _, tree) = look_up(&app, 200).await;
    assert_eq!(cache.as_deref(), Some("unavailable"));
    assert!(tree.starts_with("    CLIENT GET ERROR timeout\n"), "{tree}");

    // The next ones do not even try.
    let begun = Instant::now();
    let (cache, _, tree) = look_up(&app, 200).await;
    assert_eq!(cache.as_deref(), Some("unavailable"));
    assert!(!tree.contains("CLIENT GET"), "{tree}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named_and_not_shown() {
    for (argument, variable) in [
        ("--redis-url=http://:s3cr3t-canary@localhost", "REDIS_URL"),
        (
            "--redis-url=redis://:s3cr3t-canary@localhost/x",
            "REDIS_URL",
        ),
        ("--cache-ttl=0s", "CACHE_TTL"),
    ] {
        let refused = Cache::connect(&parse(vec!["service", argument])).await;
        let error = format!("{:#}", refused.expect_err("refused"));
        assert!(error.contains(variable), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}

//! The recipes of the guide do what they say: all of them are applied to one service, which is built and looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ci::client::{self, Answer, Request};
use ci::documents::{Document, OF_A_SERVICE, environment};
use ci::receiver::{Received, Receiver};
use ci::scenario::SESSION;
use ci::service::Service;
use ci::signals::{Kind, Measure, Span};
use ci::upstream::Upstream;
use ci::{files, generate, house, howto, root};

/// Generous: nothing here may take a tenth of it.
const DEADLINE: Duration = Duration::from_secs(30);

fn guide() -> Document {
    Document::read("docs/guide.md").unwrap()
}

/// The service with every recipe in it, formatted and tested as they say, built once.
fn binary() -> PathBuf {
    // What does not build is not built again for the next test.
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().unwrap_or_else(|error| panic!("{error}"))
}

fn build() -> Result<PathBuf> {
    let folder = tempfile::tempdir()?;
    let stack = "axum-sqlite-reqwest+jobs".parse()?;
    let fresh = generate::generate(&stack, "guide", folder.path())?;
    howto::change_as(&guide().text, &fresh)?;
    let home = root().join("target/howto/guide");
    files::mirror(&fresh, &home)?;
    house::run(house::cargo(&home).args(["fmt", "--check"]), &mut |_| ())?;
    // The tests of the recipes, and with them the program.
    let mut tests = house::cargo(&home);
    let tested = house::run(tests.args(["test", "--test", "api", "stock"]), &mut |_| ())?;
    ensure!(tested.contains("1 passed"), "{tested}");
    Ok(house::target()
        .join("debug")
        .join(format!("guide{}", std::env::consts::EXE_SUFFIX)))
}

/// The service in an environment, and what it sends.
struct Rig {
    receiver: Receiver,
    service: Service,
}

impl Rig {
    /// Starts the service with the variables of the commands under a heading of the guide, and these.
    async fn start(recipe: Option<&str>, env: &[(&str, &str)]) -> Result<Self> {
        let receiver = Receiver::start().await?;
        let mut all = BTreeMap::new();
        if let Some(heading) = recipe {
            let document = guide();
            let section = document.section(heading).context("no such recipe")?;
            let commands = section.commands();
            let command = commands.first().context("no command")?;
            all.extend(environment(command));
        }
        let own = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.grpc_endpoint()),
            ("PORT", "0"),
        ];
        let own = own.iter().chain(env);
        all.extend(own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let service = Service::start(&binary(), &all).await?;
        Ok(Self { receiver, service })
    }

    async fn ask(&self, method: &'static str, target: &'static str, body: &str) -> Result<Answer> {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-session-id", SESSION.to_owned()),
        ];
        let body = body.as_bytes().to_vec();
        let request = Request {
            method,
            target,
            headers,
            body,
        };
        let answer = client::send(self.service.address(), &request).await?;
        ensure!(answer.status < 300, "{target}: {}", answer.status);
        Ok(answer)
    }

    /// Stops the service and gives all it sent.
    async fn end(self) -> Result<Received> {
        self.service.terminate()?;
        let ended = self.service.ended(DEADLINE).await?;
        ensure!(ended.code == Some(0), "{:?}", ended.lines);
        Ok(self.receiver.store().snapshot())
    }
}

/// The only span of this name.
fn span<'a>(received: &'a Received, name: &str) -> &'a Span {
    let mut spans = received.spans.iter().filter(|span| span.name == name);
    let found = spans.next().unwrap_or_else(|| panic!("no span {name}"));
    assert!(spans.next().is_none(), "{name} is there twice");
    found
}

fn is_below(span: &Span, parent: &Span) -> bool {
    span.trace_id == parent.trace_id && span.parent.as_ref() == Some(&parent.span_id)
}

#[tokio::test]
async fn a_route_its_metric_its_log_record_and_its_secrets() {
    let rig = Rig::start(None, &[]).await.unwrap();
    let asked = rig.ask("GET", "/stock/lighting?voucher=s3cr3t", "").await;
    let body = String::from_utf8(asked.unwrap().body).unwrap();
    assert!(body.starts_with("{\"products\":"), "{body}");
    let received = rig.end().await.unwrap();

    let server = span(&received, "GET /stock/{category}");
    assert_eq!(server.kind, Kind::Server);
    assert_eq!(server.string("url.query"), Some("voucher=REDACTED"));
    assert!(!format!("{received:?}").contains("s3cr3t"));

    let sum = span(&received, "stock.sum");
    assert!(is_below(sum, server), "{sum:?}");
    assert_eq!(sum.string("stock.category"), Some("lighting"));
    assert_eq!(sum.string("session.id"), Some(SESSION));
    assert!(sum.attributes.contains_key("stock.products"), "{sum:?}");

    let parcels = span(&received, "warehouse.parcels");
    assert_eq!(parcels.kind, Kind::Client);
    for (below, above) in [
        (span(&received, "SELECT products"), sum),
        (span(&received, "stock.remember"), sum),
        (parcels, sum),
        (span(&received, "warehouse.parse"), parcels),
    ] {
        assert!(is_below(below, above), "{below:?}");
    }

    let counted = received.metrics.iter();
    let counted: Vec<_> = counted
        .filter(|point| point.name == "stock.sums")
        .map(|point| (&point.measure, &*point.unit))
        .collect();
    assert!(
        counted.contains(&(&Measure::Number(1.0), "{sum}")),
        "{counted:?}"
    );

    let said = |log: &&ci::signals::LogRecord| log.body.as_str() == Some("summed up");
    let log = received.logs.iter().find(said).expect("the log record");
    assert_eq!(log.span_id.as_ref(), Some(&sum.span_id));
}

#[tokio::test]
async fn a_job_goes_on_with_the_trace_of_its_request() {
    let rig = Rig::start(None, &[("OTEL_BSP_SCHEDULE_DELAY", "50")]).await;
    let rig = rig.unwrap();
    let user = "{\"name\":\"Ada\",\"email\":\"ada@example.org\"}";
    rig.ask("POST", "/users", user).await.unwrap();
    let worked = |received: &Received| {
        let mut spans = received.spans.iter();
        spans.any(|span| span.name == "process welcome")
    };
    let store = rig.receiver.store();
    store.wait_for("the job", DEADLINE, worked).await.unwrap();
    let received = rig.end().await.unwrap();

    let process = span(&received, "process welcome");
    let greet = span(&received, "welcome.greet");
    assert!(is_below(process, span(&received, "send welcome")));
    assert!(is_below(greet, process));
    assert_eq!(greet.trace_id, span(&received, "POST /users").trace_id);
    assert_eq!(greet.string("session.id"), Some(SESSION));
}

#[tokio::test]
async fn a_call_to_another_service_takes_the_trace_and_only_to_named_hosts_the_session() {
    for (recipe, session) in [
        (None, None),
        (Some("Let the session travel"), Some(SESSION)),
    ] {
        let upstream = Upstream::start().await.unwrap();
        let url = format!("http://{}/prices?key=s3cr3t", upstream.address());
        let rig = Rig::start(recipe, &[("PRICING_URL", &url)]).await.unwrap();
        rig.ask("GET", "/prices", "").await.unwrap();
        let received = rig.end().await.unwrap();

        let call = span(&received, "GET");
        assert_eq!(call.kind, Kind::Client);
        assert!(is_below(call, span(&received, "GET /prices")));
        assert!(!format!("{received:?}").contains("s3cr3t"));
        let headers = &upstream.headers_since(0)[0];
        let parent = format!("-{}-{}-", call.trace_id, call.span_id);
        assert!(headers["traceparent"].contains(&parent), "{headers:?}");
        let sent = headers.get("x-session-id").map(String::as_str);
        assert_eq!(sent, session, "{headers:?}");
    }
}

/// Of 300 traces a tenth is 30; that it is none, or half of them, has a chance of one in 10^13.
#[tokio::test]
async fn a_tenth_of_the_traces_is_a_tenth_and_metrics_are_whole() {
    let rig = Rig::start(Some("Sample"), &[]).await.unwrap();
    for _ in 0..300 {
        rig.ask("GET", "/stock/lighting", "").await.unwrap();
    }
    let received = rig.end().await.unwrap();
    let spans = received.spans.iter();
    let traces = spans.filter(|span| span.kind == Kind::Server).count();
    assert!((1..150).contains(&traces), "{traces}");
    let counted = received.metrics.iter();
    let counted = counted
        .filter(|point| point.name == "stock.sums")
        .any(|point| point.measure == Measure::Number(300.0));
    assert!(counted);
}

#[tokio::test]
async fn without_telemetry_nothing_leaves() {
    let rig = Rig::start(Some("Run without telemetry"), &[]);
    let rig = rig.await.unwrap();
    rig.ask("GET", "/stock/lighting", "").await.unwrap();
    let received = rig.end().await.unwrap();
    assert_eq!(received.exports, [0, 0]);
}

/// Nobody is called: a service that sends nothing still warns of what it does not understand.
#[tokio::test]
async fn every_destination_is_understood() {
    let guide = guide();
    let section = guide.section("Send it somewhere").unwrap();
    let mut commands = section.commands();
    assert!(commands.len() > 7, "{commands:?}");
    commands.push("OTEL_EXPORTER_OTLP_PROTOCOL=http/json cargo run".to_owned());
    let mut misunderstood = Vec::new();
    for command in &commands {
        let mut env = environment(command);
        for (name, value) in [("OTEL_SDK_DISABLED", "true"), ("PORT", "0")] {
            env.insert(name.to_owned(), value.to_owned());
        }
        let service = Service::start(&binary(), &env).await.unwrap();
        let lines = service.lines();
        if lines.iter().any(|line| line.contains("\"WARN\"")) {
            misunderstood.push(command);
        }
    }
    assert_eq!(misunderstood, [commands.last().unwrap()]);
}

/// What documents call `cargo run -- …` and is no command of the template is one of a service.
#[test]
fn the_commands_of_a_service_are_there() {
    for command in OF_A_SERVICE {
        let mut words: Vec<&str> = command.split(' ').collect();
        if !words.iter().any(|word| word.starts_with("--help")) {
            words.push("--help");
        }
        let output = std::process::Command::new(binary())
            .args(&words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

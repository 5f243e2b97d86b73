//! The unbroken trace: one request that goes through everything there is, in two services of two frameworks, and is one
//! trace. The services do what their template gives them; that one thing leads to the next is planted.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::client::{self, Request};
use crate::receiver::{Received, Receiver};
use crate::scenario::SESSION;
use crate::servers::{self, Fresh};
use crate::service::Service;
use crate::signals::tree::trees;
use crate::signals::{Kind, Span};
use crate::stacks::Stack;
use crate::{house, subject};

/// Asked first: cache, database, the other service; and asked by that one over gRPC, which sets off a job.
pub const FIRST: &str = "axum-sqlite-reqwest+redis+jobs+grpc";
/// Called by the first, calls it over gRPC.
pub const SECOND: &str = "actix-web-none-none+grpc";

const DEADLINE: Duration = Duration::from_secs(20);

/// In the first service: a user's page asks the second one, and a search adds a user, who is welcomed by a job.
const PLANTED: [(&str, &str, &str); 2] = [
    (
        "src/users/mod.rs",
        "    user.ok_or(AppError::NotFound(\"user\"))\n",
        "    if id == 1 {
        crate::external::call(state).await?;
    }
    user.ok_or(AppError::NotFound(\"user\"))\n",
    ),
    (
        "src/products/mod.rs",
        "    let products = store::find(state, &search).await?;\n",
        "    let products = store::find(state, &search).await?;
    let tourist = crate::users::NewUser { name: \"Tourist\".into(), email: \"tourist@example.com\".into() };
    crate::users::create(state, tourist).await?;\n",
    ),
];

/// What the trace must be: the service of each span (`1` or `2`), its kind and its name.
const STORY: &str = "\
1 SERVER GET /users/{id}
1   INTERNAL db.get_user
1     CLIENT GET
1     CLIENT SELECT users
1     CLIENT SET
1     INTERNAL external_api.call
1       CLIENT GET
2         SERVER GET /peer/products
2           INTERNAL peer.search
2             CLIENT shop.v1.ProductService/Search
1               SERVER shop.v1.ProductService/Search
1                 INTERNAL product.search
1                   CLIENT SELECT products
1                   CLIENT INSERT users
1                   PRODUCER send welcome
1                     CONSUMER process welcome
1                       INTERNAL db.get_user
1                         CLIENT GET
1                         CLIENT SELECT users
1                         CLIENT SET
";

/// What came of the tour.
#[derive(Debug)]
pub struct Tour {
    pub received: Received,
    /// Of the request's trace.
    pub trace_id: String,
}

/// Generates and builds the two services and returns their binaries. `line` sees what Cargo says.
///
/// # Errors
/// When one cannot be generated, planted in or built.
pub fn build(line: &mut dyn FnMut(&str)) -> Result<[PathBuf; 2]> {
    let first = house::place(&FIRST.parse()?)?;
    let second = house::place(&SECOND.parse()?)?;
    Ok([
        subject::build_with(&first, &house::target(), plant, line)?,
        subject::build_with(&second, &house::target(), |_| Ok(()), line)?,
    ])
}

/// Makes one thing lead to the next in the first service at `project`.
///
/// # Errors
/// When there is no such place in it: the template moved on and this module did not.
pub fn plant(project: &Path) -> Result<()> {
    for (file, before, after) in PLANTED {
        let path = project.join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(text.contains(before), "{file} has no `{}`", before.trim());
        fs::write(&path, text.replacen(before, after, 1))?;
    }
    Ok(())
}

/// Starts both services, makes the one request, waits for the job, and stops them.
///
/// # Errors
/// When a service does not start or stop, or the request fails.
pub async fn run([first, second]: &[PathBuf; 2]) -> Result<Tour> {
    let receiver = Receiver::start().await?;
    let stack: Stack = FIRST.parse()?;
    let fresh = servers::database(&stack)?;
    // Each needs the other's address before both are there.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let endpoint = receiver.grpc_endpoint();
    let upstream = format!("http://127.0.0.1:{port}/peer/products");
    let common = |port: u16| {
        BTreeMap::from([
            ("PORT".to_owned(), port.to_string()),
            ("GRPC_PORT".to_owned(), "0".to_owned()),
            // To one another they tell the session.
            ("TELEMETRY_TRUSTED_HOSTS".to_owned(), "127.0.0.1".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint.clone()),
            ("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "100".to_owned()),
        ])
    };
    let mut env = common(0);
    env.extend(fresh.as_ref().map(Fresh::environment).unwrap_or_default());
    env.insert("UPSTREAM_URL".to_owned(), upstream);
    let first = Service::start(first, &env).await?;
    let mut env = common(port);
    let grpc = first.address_of("gRPC listening").await?;
    env.insert("GRPC_PEER_URL".to_owned(), format!("http://{grpc}"));
    let second = Service::start(second, &env).await?;

    let request = Request {
        method: "GET",
        target: "/users/1",
        headers: vec![("x-session-id", SESSION.to_owned())],
        body: Vec::new(),
    };
    let answer = client::send(first.address(), &request).await?;
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(
        answer.status == 200,
        "answered {}: {body}\n{}",
        answer.status,
        second.tail()
    );
    let trace_id = answer
        .trace_id()
        .context("the answer has no `traceresponse`")?
        .to_owned();
    let job_done = |all: &Received| all.spans.iter().any(|span| span.kind == Kind::Consumer);
    receiver
        .store()
        .wait_for("the end of the job", DEADLINE, job_done)
        .await?;
    for service in [first, second] {
        service.terminate()?;
        let ended = service.ended(DEADLINE).await?;
        ensure!(
            ended.code == Some(0),
            "a service ended with {:?}",
            ended.code
        );
    }
    Ok(Tour {
        received: receiver.store().snapshot(),
        trace_id,
    })
}

impl Tour {
    /// The spans of the trace.
    pub fn spans(&self) -> Vec<&Span> {
        let spans = self.received.spans.iter();
        spans
            .filter(|span| span.trace_id == self.trace_id)
            .collect()
    }

    /// How the trace was told, as [`STORY`] is, and below it what else is wrong.
    pub fn told(&self) -> String {
        let spans = self.spans();
        let mut text = String::new();
        for (depth, span) in trees(&spans).iter().flat_map(|root| root.walk()) {
            let service = match span.service() {
                name if *name == package(FIRST) => "1",
                name if *name == package(SECOND) => "2",
                name => name,
            };
            text += &format!(
                "{service} {:indent$}{} {}\n",
                "",
                span.kind,
                span.name,
                indent = depth * 2
            );
        }
        for span in spans
            .iter()
            .filter(|span| span.string("session.id") != Some(SESSION))
        {
            text += &format!("without its session: {}\n", span.name);
        }
        for span in self
            .received
            .spans
            .iter()
            .filter(|span| span.trace_id != self.trace_id)
        {
            text += &format!("in another trace: {} {}\n", span.kind, span.name);
        }
        text
    }

    /// What differs from the one unbroken trace that it must be; `None` when nothing does.
    pub fn difference(&self) -> Option<String> {
        let told = self.told();
        (told != STORY).then(|| {
            let diff = similar::TextDiff::from_lines(STORY, &told);
            diff.unified_diff().header("must be", "is").to_string()
        })
    }
}

fn package(stack: &str) -> String {
    stack
        .parse::<Stack>()
        .map(|stack| stack.package())
        .unwrap_or_default()
}

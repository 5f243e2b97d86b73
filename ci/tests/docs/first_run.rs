//! The first commands of the README lead from a clone to a trace in the browser.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ci::client::{self, Request};
use ci::documents::{Document, arguments};
use ci::service::Service;
use ci::specimens::{self, Specimen};
use ci::upstream::Upstream;
use ci::{files, house, stacks, subject};

/// Generous: nothing here may take a tenth of it.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_newcomer_sees_a_trace() {
    let readme = Document::read("README.md").unwrap().commands();
    assert!(readme[0].starts_with("git clone "), "{readme:?}");
    assert_eq!(readme[1], "cd template");
    assert_eq!(readme[3..5], ["cd ../shop", "cargo run"]);

    // The second makes the default service, which is built already.
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template");
    std::fs::create_dir(&template).unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_ci"))
        .args(arguments(&readme[2]).unwrap())
        .current_dir(&template)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let shop = files::read(&folder.path().join(specimens::NAME)).unwrap();
    let default = stacks::default().unwrap();
    let Specimen { files, .. } = Specimen::new(&default).unwrap();
    assert!(shop == files, "it is not what Enter makes");
    let project = house::place(&default).unwrap();
    let binary = subject::build(&project, &house::target(), &mut |_| ()).unwrap();

    // Its `.env`, on ports that are free.
    let env = String::from_utf8_lossy(&shop[Path::new(".env")]).into_owned();
    let lines = env.lines().filter(|line| !line.starts_with('#'));
    let mut env: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for name in ["PORT", "TELEMETRY_PAGE_PORT"] {
        env.insert(name.to_owned(), "0".to_owned());
    }
    // In place of the service itself, whose address nobody knows yet.
    let upstream = Upstream::start().await.unwrap();
    let url = format!("http://{}/products?q=lamp", upstream.address());
    assert!(env.insert("UPSTREAM_URL".to_owned(), url).is_some());
    let service = Service::start(&binary, &env).await.unwrap();
    let called = send(service.address(), "POST", "/external").await;
    assert_eq!(called.status, 200);
    let answer = send(service.address(), "GET", "/products?q=lamp").await;
    let trace = answer.trace_id().unwrap().to_owned();

    // The link in the terminal leads to that trace.
    let link = |line: &String| {
        let (_, page) = line.split_once("trace http://")?;
        let (page, id) = page.split_once("/#")?;
        (id == trace).then(|| page.parse().ok()).flatten()
    };
    let printed = |lines: &[String]| lines.iter().any(|line| link(line).is_some());
    service
        .wait_for("the link", DEADLINE, printed)
        .await
        .unwrap();
    let page = service.lines().iter().find_map(link).unwrap();
    assert_eq!(send(page, "GET", "/").await.status, 200);
    let shown = send(page, "GET", &format!("/traces/{trace}")).await;
    let shown = String::from_utf8(shown.body).unwrap();
    for span in ["GET /products", "product.search", "SELECT products"] {
        assert!(shown.contains(span), "{shown}");
    }
}

async fn send(address: SocketAddr, method: &'static str, target: &str) -> client::Answer {
    let request = Request {
        method,
        target: target.to_owned().leak(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    client::send(address, &request).await.unwrap()
}

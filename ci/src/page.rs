//! The page with the last traces as a person uses it: what is done in the browser, and what must be seen there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::browser::Browser;
use crate::client::{self, Answer, Request};
use crate::service::Service;
use crate::upstream::{Mode, Upstream};
use crate::{faults, house, stacks, subject};

/// Keys as WebDriver writes them.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
/// Markup in what a caller sends; shown, it must stay text.
const HOSTILE: &str = "/products?q=%3Cimg%20src%3Dx%20onerror%3D%22pwned%3D1%22%3E%3Cscript%3Epwned%3D1%3C%2Fscript%3E";

/// The default service, with planted bugs that leave something to see.
///
/// # Errors
/// When it cannot be built.
pub fn build(line: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let project = house::place(&stacks::default()?)?;
    let plant = |project: &Path| {
        faults::plant(project)?;
        faults::plant_repetition(project)
    };
    subject::build_with(&project, &house::target(), plant, line)
}

/// Does everything that a person can, and returns what was seen to work. Pictures go to the folder `pictures`.
///
/// # Errors
/// The first thing that is not as it should be.
pub async fn look(
    binary: &Path,
    pictures: Option<&Path>,
    hear: &mut dyn FnMut(&str),
) -> Result<Vec<&'static str>> {
    let mut upstream = Upstream::start().await?;
    let url = format!("http://{}/prices", upstream.address());
    // Nothing is exported: the page is there all the same.
    let env = [
        ("PORT", "0"),
        ("TELEMETRY_PAGE_PORT", "0"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("UPSTREAM_TIMEOUT", "700ms"),
        ("UPSTREAM_ATTEMPTS", "1"),
        ("UPSTREAM_URL", &url),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let service = Service::start(binary, &BTreeMap::from(env)).await?;
    let page = service
        .last_word_with(", page http")
        .context("no page is announced")?;

    let browser = Browser::start().await?;
    let mut visit = Visit {
        service: &service,
        upstream: &mut upstream,
        browser: &browser,
        page: &page,
    };
    let mut seen = Vec::new();
    let outcome = visit.all(pictures, &mut seen, hear).await;
    let complaints = browser.complaints().await;
    let closed = browser.close().await;
    outcome.with_context(|| format!("the service's output ends with\n{}", service.tail()))?;
    closed?;
    let complaints = complaints?;
    ensure!(
        complaints.is_empty(),
        "the browser complains: {complaints:#?}"
    );
    Ok(seen)
}

struct Visit<'a> {
    service: &'a Service,
    upstream: &'a mut Upstream,
    browser: &'a Browser,
    page: &'a str,
}

impl Visit<'_> {
    async fn all(
        &mut self,
        pictures: Option<&Path>,
        seen: &mut Vec<&'static str>,
        hear: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let mut done = |step: &'static str| {
            hear(step);
            seen.push(step);
        };
        let browser = self.browser;
        browser.go(self.page).await?;
        browser
            .wait("document.querySelector('#list .empty')")
            .await?;
        done("the page opens before there is a trace");

        self.requests().await?;
        browser
            .wait("document.querySelectorAll('.row').length >= 8")
            .await?;
        browser
            .wait("document.body.innerText.includes('session s-42')")
            .await?;
        done("traces come by themselves, with their session");

        let hostile = self.ask("GET", HOSTILE).await?;
        let id = hostile.trace_id().context("no trace")?.to_owned();
        self.open(&id).await?;
        browser.wait(&shows("GET /products", "200")).await?;
        browser.press(&format!("{ENTER}j{ENTER}")).await?;
        browser
            .wait("document.querySelector('#detail').innerText.includes('<img src=x onerror=')")
            .await?;
        browser
            .wait("typeof pwned === 'undefined' && !document.querySelector('img')")
            .await?;
        done("what callers send stays text");

        let missing = self.ask("GET", "/users/4711").await?;
        let problem: Value = serde_json::from_slice(&missing.body)?;
        let id = problem["trace_id"].as_str().context("no trace_id")?;
        browser.press("/").await?;
        browser.press(&format!("{id}{ENTER}")).await?;
        browser.wait(&shows("GET /users/{id}", "404")).await?;
        browser.wait(&format!("location.hash === '#{id}'")).await?;
        done("the trace_id of an error finds its trace");

        browser.press(&format!("/{ESCAPE}")).await?;
        browser
            .wait("document.querySelector('#filter').value === ''")
            .await?;
        browser.press("/again").await?;
        browser
            .wait("document.querySelectorAll('.row').length === 1")
            .await?;
        browser.press(ENTER).await?;
        browser.wait(&shows("GET /products", "200")).await?;
        browser.wait("document.querySelector('#detail').innerText.includes('13× SELECT products (N+1?)')").await?;
        browser
            .wait("document.querySelector('#detail').innerText.includes('asking again')")
            .await?;
        done("the filter finds it; SQL in a loop is marked; its log lines are there");

        // Into the trace, down to the first statement, and unfolded.
        browser.press(&format!("{ENTER}jj{ENTER}")).await?;
        let unfolded = "document.querySelector('.inside')?.innerText.includes('db.query.summary')";
        browser.wait(unfolded).await?;
        browser.press(ESCAPE).await?;
        browser.wait("!document.querySelector('.inside')").await?;
        browser.press(&format!("{ESCAPE}/{ESCAPE}")).await?;
        browser
            .wait("document.querySelectorAll('.row').length >= 8")
            .await?;
        let first = "document.querySelector('.row[aria-selected=true]')?.id";
        let before = browser.wait(first).await?;
        browser.press("k").await?;
        browser.wait(&format!("({first}) !== {before}")).await?;
        done("j, k, Enter, Esc and / do all of it without a mouse");

        browser.press("/slow").await?;
        browser
            .wait("document.querySelectorAll('.row').length === 1")
            .await?;
        browser.press(ENTER).await?;
        browser.wait(&shows("POST /external", "504")).await?;
        done("a slow span is marked");

        if let Some(folder) = pictures {
            browser.press(&format!("/{ESCAPE}")).await?;
            self.picture(folder).await?;
            done("pictures are taken");
        }
        Ok(())
    }

    /// What there is to see.
    async fn requests(&mut self) -> Result<()> {
        for target in [
            "/users/1",
            "/products?q=lamp&category=lighting",
            "/users/2",
            "/products?q=panic-please",
            "/products?limit=0",
            "/products?q=again-please",
            "/users/3",
        ] {
            self.ask("GET", target).await?;
        }
        self.ask("POST", "/external").await?;
        self.upstream.set(Mode::Hang).await?;
        self.ask("POST", "/external").await?;
        self.upstream.set(Mode::Answer(200)).await
    }

    async fn ask(&self, method: &'static str, target: &'static str) -> Result<Answer> {
        let request = Request {
            method,
            target,
            headers: vec![("x-session-id", "s-42".to_owned())],
            body: Vec::new(),
        };
        client::send(self.service.address(), &request).await
    }

    /// By the link that the console prints.
    async fn open(&self, id: &str) -> Result<()> {
        self.browser.go(&format!("{}/#{id}", self.page)).await
    }

    async fn picture(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let answer = self.ask("GET", "/products?q=again-please").await?;
        self.open(answer.trace_id().context("no trace")?).await?;
        self.browser.wait(&shows("GET /products", "200")).await?;
        self.browser.press(&format!("{ENTER}jj{ENTER}")).await?;
        self.browser
            .wait("document.querySelector('.inside')")
            .await?;
        let listed = "document.querySelector('.row[aria-selected=true]')";
        self.browser.wait(listed).await?;
        for scheme in ["light", "dark"] {
            self.browser.prefer(scheme).await?;
            let dark = format!("matchMedia('(prefers-color-scheme: {scheme})').matches");
            self.browser.wait(&dark).await?;
            let picture = self.browser.screenshot().await?;
            std::fs::write(folder.join(format!("trace-page-{scheme}.png")), picture)?;
        }
        Ok(())
    }
}

/// That the trace which is shown has this name and status.
fn shows(name: &str, status: &str) -> String {
    let heading = "document.querySelector('#detail h2')?.innerText ?? ''";
    format!("[{name:?}, {status:?}].every((text) => ({heading}).includes(text))")
}

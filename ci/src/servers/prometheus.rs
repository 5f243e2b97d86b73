//! A Prometheus that reads one page, and its API.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::process::{Command, Process, free_port};
use super::{packages, source, wait_for};
use crate::client::{self, Request};

const START: Duration = Duration::from_secs(60);

/// It is stopped when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
}

/// A sample of an answer.
#[derive(Clone, Debug)]
pub struct Sample {
    pub labels: Value,
    /// Not a number where there was nothing to divide by.
    pub value: f64,
}

/// A rule that it evaluates.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub expression: String,
    pub records: bool,
    /// `ok`, `unknown` before its first evaluation, or `err`.
    pub health: String,
}

impl Prometheus {
    /// Starts one that reads `http://page/metrics` each second, and evaluates the files of rules in the folder `rules` as often.
    ///
    /// # Errors
    /// There is none, or it does not start; the error says what to install.
    pub fn start(page: SocketAddr, rules: &Path) -> Result<Self> {
        let program = packages::program(&["prometheus"], &["prometheus"])?;
        let folder = packages::folder(None)?;
        let config = folder.path().join("prometheus.yml");
        let rules = rules.canonicalize()?;
        let lines = [
            "global:".to_owned(),
            "  evaluation_interval: 1s".to_owned(),
            "  scrape_interval: 1s".to_owned(),
            "  scrape_timeout: 1s".to_owned(),
            format!("rule_files: ['{}/*.yaml']", rules.display()),
            // What the page says of job and instance counts.
            "scrape_configs: [{job_name: page, honor_labels: true, static_configs: [{targets: ["
                .to_owned(),
            format!("  '{page}']}}]}}]"),
        ];
        std::fs::write(&config, lines.join("\n"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"));
        let process = Process::start(command, None, "TERM", Some(folder))?;
        let ready = || {
            ensure!(!process.ended(), "Prometheus said\n{}", process.tail());
            let answer = wait_for(client::send(address, &get("/-/ready")))?;
            ensure!(answer.status == 200, "it is not ready");
            Ok(())
        };
        source::until(START, ready)?;
        Ok(Self {
            address,
            _process: process,
        })
    }

    /// What `expression` is now.
    ///
    /// # Errors
    /// It is not understood; the error says what is wrong.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>> {
        let request = Request {
            method: "POST",
            target: "/api/v1/query",
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: format!("query={}", encoded(expression)).into_bytes(),
        };
        let data = self.ask(&request).await.context(expression.to_owned())?;
        let samples = data["result"].as_array().context("a vector")?.iter();
        let sample = |sample: &Value| Sample {
            labels: sample["metric"].clone(),
            value: sample["value"][1]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or(f64::NAN),
        };
        Ok(samples.map(sample).collect())
    }

    /// # Errors
    /// It does not answer.
    pub async fn rules(&self) -> Result<Vec<Rule>> {
        let data = self.ask(&get("/api/v1/rules")).await?;
        let groups = data["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rule = |rule: &Value| Rule {
            name: text(&rule["name"]),
            expression: text(&rule["query"]),
            records: rule["type"] == "recording",
            health: text(&rule["health"]),
        };
        Ok(rules.map(rule).collect())
    }

    async fn ask(&self, request: &Request) -> Result<Value> {
        let answer = client::send(self.address, request).await?;
        let body: Value = serde_json::from_slice(&answer.body)?;
        ensure!(body["status"] == "success", "{}", body["error"]);
        Ok(body["data"].clone())
    }
}

fn get(target: &'static str) -> Request {
    Request {
        method: "GET",
        target,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

//! The worst days: a service under load whose collector, clients or database fail, and what must hold all the same.

mod called;
mod collector;
mod database;
mod load;
mod proxy;
mod row;
mod service;
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::receiver::Received;
use crate::servers::{self, Fresh};
use crate::service::Service;
use crate::stacks::Stack;
use crate::{house, subject};

pub use collector::FAULTS;
pub use load::{Answers, Load};
pub use row::Row;
pub use story::STORIES;

/// The wait for anything that takes milliseconds when all is well.
const DEADLINE: Duration = Duration::from_secs(30);

/// Leaves the same spans each time, in every stack.
const TARGETS: &[&str] = &["/products?q=lamp"];

/// How spans leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc = 0,
    Http = 1,
}

impl Protocol {
    pub const ALL: [Self; 2] = [Self::Grpc, Self::Http];

    /// The value of `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

/// A built service, and what is known of it when nothing fails.
#[derive(Debug)]
pub struct Rig {
    stack: Stack,
    binary: PathBuf,
    /// Empty databases of its own.
    fresh: Option<Fresh>,
    /// Requests of one load.
    requests: usize,
    normal: Normal,
}

/// Of one request, where nothing fails.
#[derive(Clone, Copy, Debug, Default)]
struct Normal {
    spans: usize,
    /// Milliseconds.
    median: f64,
}

impl Rig {
    /// Builds `stack` and looks at it while all is well: the row says how it went. `requests` is the size of one load.
    ///
    /// # Errors
    /// When it does not build or run, or its database cannot be had.
    pub async fn new(
        stack: &Stack,
        requests: usize,
        line: &mut dyn FnMut(&str),
    ) -> Result<(Self, Row)> {
        let project = house::place(stack)?;
        let mut rig = Self {
            stack: stack.clone(),
            binary: subject::build(&project, &house::target(), line)?,
            fresh: servers::database(stack)?,
            requests,
            normal: Normal::default(),
        };
        let (normal, row) = collector::healthy(&rig).await?;
        rig.normal = normal;
        Ok((rig, row))
    }

    /// The service, exporting to `endpoint`.
    async fn start(
        &self,
        endpoint: &str,
        protocol: Protocol,
        own: &[(&str, &str)],
    ) -> Result<Service> {
        let settings = [
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("GRPC_PORT", "0"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.name()),
            // A fault shows early, and no run waits for what is long on purpose.
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "200"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
            ("SHUTDOWN_TIMEOUT", "2s"),
            // The load is not about waiting for a connection, nor about opening many at once: a build for debugging takes
            // long for the passwords.
            ("DATABASE_MAX_CONNECTIONS", "40"),
            ("DATABASE_TIMEOUT", "15s"),
        ];
        let fresh = self.fresh.as_ref().map(Fresh::environment);
        let mut env: BTreeMap<String, String> = fresh.unwrap_or_default();
        env.extend(
            settings
                .iter()
                .chain(own)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Service::start(&self.binary, &env).await
    }

    fn load(&self) -> Load {
        Load {
            targets: TARGETS,
            requests: self.requests,
            concurrency: 32,
        }
    }
}

/// Few requests, which a queue has room for.
const FEW: Load = Load {
    targets: TARGETS,
    requests: 20,
    concurrency: 4,
};

/// Spans by trace and id: one that was sent twice is one.
fn distinct(received: &Received) -> usize {
    let ids: BTreeSet<_> = received
        .spans
        .iter()
        .map(|span| (&span.trace_id, &span.span_id))
        .collect();
    ids.len()
}

/// A number of `/proc/<id>/status`, in MiB.
fn memory(id: u32, name: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(number.with_context(|| format!("no {name} in /proc"))? / 1024.0)
}

/// What the service's last words count: records that were lost, of those that ended. `None` where none was.
fn last_words(lines: &[String], what: &str) -> Result<Option<(usize, usize)>> {
    let said = lines
        .iter()
        .find_map(|line| line.split_once("telemetry was lost: "));
    let Some((_, sums)) = said else {
        return Ok(None);
    };
    // `5 of 9 spans (3 queue_full, 2 timeout), 1 of 2 log records (1 unsent)`
    let words: Vec<&str> = sums.split([' ', '"']).collect();
    for at in words.windows(4) {
        let [lost, "of", ended, first] = at else {
            continue;
        };
        if what.starts_with(first) {
            let (lost, ended) = (lost.parse()?, ended.parse()?);
            ensure!(
                lost <= ended,
                "more {what} were lost than there were: {sums}"
            );
            return Ok(Some((lost, ended)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_understood() {
        let line = r#"{"message":"telemetry was lost: 5 of 9 spans (3 queue_full, 2 timeout), 1 of 2 log records (1 unsent)","x":1}"#;
        let lines = ["{}".to_owned(), line.to_owned()];
        assert_eq!(last_words(&lines, "spans").unwrap(), Some((5, 9)));
        assert_eq!(last_words(&lines, "log records").unwrap(), Some((1, 2)));
        assert_eq!(last_words(&lines[..1], "spans").unwrap(), None);
    }
}

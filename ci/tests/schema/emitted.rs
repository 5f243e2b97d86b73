//! The names in the contract's files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result};
use ci::contract::directory;
use ci::scenario::{Parts, steps};

use super::registry::Own;
use super::upstream::Upstream;

/// Everything that services with some set of parts emit.
#[derive(Debug, Default)]
pub struct Emitted {
    pub attributes: BTreeSet<String>,
    /// With instrument and unit.
    pub metrics: BTreeMap<String, (String, String)>,
    /// Inner spans: the others are named by a rule of the conventions.
    pub spans: BTreeSet<String>,
    pub events: BTreeSet<String>,
}

impl Emitted {
    /// # Errors
    /// A file cannot be read.
    pub fn by(parts: &Parts) -> Result<Self> {
        let mut names = vec![
            "metrics".to_owned(),
            "metrics.health".to_owned(),
            "metrics.runtime".to_owned(),
            "outside".to_owned(),
            "resource".to_owned(),
        ];
        for part in ci::scenario::Part::ALL {
            if parts.has(part) {
                names.push(format!("metrics.{}", part.name()));
                names.push(format!("outside.{}", part.name()));
            }
        }
        for step in steps().iter().filter(|step| step.applies_to(parts)) {
            if let Some(name) = step.contract(parts) {
                names.push(format!("{name}{}", step.over_http()));
                names.push(name);
            }
        }
        let mut emitted = Self::default();
        for name in names {
            let path = directory().join(format!("{name}.txt"));
            // Not every part has metrics or a start of its own, and not every step is in the run over HTTP.
            if path.exists() {
                emitted
                    .read(&fs::read_to_string(&path)?)
                    .with_context(|| name)?;
            }
        }
        Ok(emitted)
    }

    fn read(&mut self, text: &str) -> Result<()> {
        let mut in_headers = false;
        for line in text.lines() {
            let (is_indented, line) = (line.starts_with(' '), line.trim_start());
            if !is_indented && !line.is_empty() {
                in_headers = line == "UPSTREAM GOT";
            }
            let mut words = line.split(' ');
            match words.next().unwrap_or_default() {
                _ if in_headers => {}
                "INTERNAL" => {
                    self.spans.extend(words.next().map(str::to_owned));
                }
                "EVENT" => self.events.extend(words.next().map(str::to_owned)),
                "LOG" => {
                    // `LOG ERROR exception [telemetry::exception] …`: the name is there for events only.
                    let event = words.nth(1).filter(|word| !word.starts_with('['));
                    self.events.extend(event.map(str::to_owned));
                }
                "METRIC" => {
                    let mut next = || words.next().map(str::to_owned).context("a metric's head");
                    self.metrics.insert(next()?, (next()?, next()?));
                }
                // What stands behind these is no name of an attribute.
                "STATUS" | "TRACESTATE" => {}
                word if is_indented => self.attribute(word, line),
                _ => {}
            }
        }
        Ok(())
    }

    /// `key: value` of a span, a log record or the resource, or `key=value key=value` of a series.
    fn attribute(&mut self, word: &str, line: &str) {
        let is_name = |name: &str| {
            let allowed = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte)
            };
            !name.is_empty() && name.bytes().all(allowed)
        };
        if let Some(name) = word.strip_suffix(':').filter(|name| is_name(name)) {
            self.attributes.insert(name.to_owned());
            return;
        }
        let pairs = line.split(' ').filter_map(|word| word.split_once('='));
        let names = pairs.map(|(name, _)| name).filter(|name| is_name(name));
        self.attributes.extend(names.map(str::to_owned));
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains(name)
            || self.metrics.contains_key(name)
            || self.spans.contains(name)
    }

    /// What neither registry defines.
    pub fn undefined(&self, own: &Own, upstream: &Upstream) -> Vec<String> {
        let attributes = self.attributes.iter();
        let attributes = attributes.filter(|name| {
            !own.attributes.contains_key(*name) && !upstream.attributes.contains(*name)
        });
        let metrics = self.metrics.keys();
        let metrics = metrics
            .filter(|name| !own.metrics.contains_key(*name) && !upstream.metrics.contains(*name));
        let spans = self.spans.iter().filter(|name| !own.spans.contains(*name));
        let events = self
            .events
            .iter()
            .filter(|name| !upstream.events.contains(*name));
        let all = attributes.chain(metrics).chain(spans).chain(events);
        all.cloned().collect()
    }
}

#[test]
fn names_are_read_off_the_contract() {
    let text = "GET / -> 200\n\nSERVER GET [a] begins the trace\n    TRACESTATE vendor=kept\n    http.route: /\n  INTERNAL job.run [tracing]\n      \
                job.id: 1\n    EVENT exception\n        exception.type: a=b\n\nLOG ERROR broken [b] text\n  in SERVER GET\n\n\
                LOG INFO [b] address: c\n    port: 1\n\nUPSTREAM GOT\n  baggage: (absent)\n";
    let mut emitted = Emitted::default();
    emitted.read(text).unwrap();
    emitted
        .read("METRIC a.b counter {job} Cumulative [c]\n  bounds [1.0]\n  d.e=f g.h=i\n")
        .unwrap();
    let attributes: Vec<_> = emitted.attributes.iter().map(String::as_str).collect();
    assert_eq!(
        attributes,
        [
            "d.e",
            "exception.type",
            "g.h",
            "http.route",
            "job.id",
            "port"
        ]
    );
    assert_eq!(emitted.spans, BTreeSet::from(["job.run".to_owned()]));
    assert_eq!(
        emitted.events,
        BTreeSet::from(["broken".to_owned(), "exception".to_owned()])
    );
    assert_eq!(
        emitted.metrics["a.b"],
        ("counter".to_owned(), "{job}".to_owned())
    );
}

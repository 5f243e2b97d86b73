//! The files of `ci/semconv/`, compiled in.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::condition::Condition;
use crate::signals::{Attributes, Instrument, Kind, Value};

/// All rows, by what they are rows of.
#[derive(Debug, Default)]
pub struct Registry {
    pub attributes: BTreeMap<String, Definition>,
    pub spans: Vec<SpanRule>,
    pub metrics: Vec<MetricRule>,
    pub events: Vec<EventRule>,
    pub entities: Vec<EntityRule>,
    pub deprecated: Deprecated,
    pub waivers: Vec<Waiver>,
}

/// The type of an attribute, and its values where there is a closed list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "WrittenDefinition")]
pub struct Definition {
    pub of_type: String,
    pub values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenDefinition {
    Type(String),
    Closed {
        #[serde(rename = "type")]
        of_type: String,
        values: Vec<String>,
    },
}

impl From<WrittenDefinition> for Definition {
    fn from(written: WrittenDefinition) -> Self {
        match written {
            WrittenDefinition::Type(of_type) => Self {
                of_type,
                values: Vec::new(),
            },
            WrittenDefinition::Closed { of_type, values } => Self { of_type, values },
        }
    }
}

/// The attributes of one kind of signal, by level.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    pub required: Vec<String>,
    pub conditional: BTreeMap<String, Condition>,
    pub recommended: BTreeMap<String, Condition>,
    /// Opt-in attributes, and those whose condition cannot be decided from outside.
    pub allowed: Vec<String>,
    /// At least one of these.
    pub one_of: Vec<String>,
}

impl Row {
    pub fn knows(&self, key: &str) -> bool {
        self.names().any(|name| name == key)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        let lists = self
            .required
            .iter()
            .chain(&self.allowed)
            .chain(&self.one_of);
        lists
            .chain(self.conditional.keys())
            .chain(self.recommended.keys())
            .map(String::as_str)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum NameRule {
    /// `{method} {route or template}`.
    Http,
    /// The method, or the system's name.
    Rpc,
    /// The query summary, or what stands in for it.
    Database,
    /// The operation: the index of a database says nothing.
    Redis,
    /// `{operation} {destination}`.
    Messaging,
    /// The rule's own id.
    Exact,
}

#[derive(Clone, Debug, Deserialize)]
pub struct SpanRule {
    pub id: String,
    #[serde(deserialize_with = "kind")]
    pub kind: Kind,
    /// A span of this kind with an attribute of one of these prefixes falls under the rule; without prefixes, a span
    /// whose name is the id.
    #[serde(default)]
    pub falls_under: Vec<String>,
    /// Only with this `db.system.name`: a system's own rows come before the general ones.
    pub system: Option<String>,
    pub name: NameRule,
    #[serde(flatten)]
    pub row: Row,
}

#[derive(Clone, Debug, Deserialize)]
pub struct MetricRule {
    pub name: String,
    /// As for spans.
    pub system: Option<String>,
    #[serde(deserialize_with = "instrument")]
    pub instrument: Instrument,
    pub unit: String,
    #[serde(default)]
    pub bounds: Vec<f64>,
    /// The rule of the spans that the metric measures too.
    pub measures: Option<String>,
    #[serde(flatten)]
    pub row: Row,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EventRule {
    pub name: String,
    #[serde(flatten)]
    pub row: Row,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EntityRule {
    pub id: String,
    #[serde(default)]
    pub demanded: bool,
    #[serde(flatten)]
    pub row: Row,
}

/// Old names and what replaced them. A name that ends with a dot is a prefix.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deprecated {
    pub attributes: BTreeMap<String, String>,
    pub metrics: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    pub rule: String,
    pub attribute: String,
    /// It is sent where it can be had, so that it is there does not make the waiver stale.
    #[serde(default)]
    pub sometimes: bool,
    pub reason: String,
}

/// A file of rows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    attributes: BTreeMap<String, Definition>,
    span: Vec<SpanRule>,
    metric: Vec<MetricRule>,
    event: Vec<EventRule>,
    entity: Vec<EntityRule>,
    waiver: Vec<Waiver>,
}

impl Registry {
    /// # Errors
    /// When a file is malformed, or a row names an attribute that has no definition.
    pub fn load() -> anyhow::Result<Self> {
        let attributes: BTreeMap<String, Definition> =
            toml::from_str(include_str!("../../semconv/attributes.toml"))
                .context("semconv/attributes.toml")?;
        let mut registry = Self {
            attributes,
            deprecated: toml::from_str(include_str!("../../semconv/deprecated.toml"))
                .context("semconv/deprecated.toml")?,
            ..Self::default()
        };
        for (name, text) in [
            ("http.toml", include_str!("../../semconv/http.toml")),
            // Before the rows for any database.
            ("redis.toml", include_str!("../../semconv/redis.toml")),
            ("database.toml", include_str!("../../semconv/database.toml")),
            ("rpc.toml", include_str!("../../semconv/rpc.toml")),
            (
                "exceptions.toml",
                include_str!("../../semconv/exceptions.toml"),
            ),
            (
                "messaging.toml",
                include_str!("../../semconv/messaging.toml"),
            ),
            ("process.toml", include_str!("../../semconv/process.toml")),
            ("sdk.toml", include_str!("../../semconv/sdk.toml")),
            ("resource.toml", include_str!("../../semconv/resource.toml")),
            ("own.toml", include_str!("../../semconv/own.toml")),
            ("waivers.toml", include_str!("../../semconv/waivers.toml")),
        ] {
            let file: File = toml::from_str(text).with_context(|| format!("semconv/{name}"))?;
            registry.attributes.extend(file.attributes);
            registry.spans.extend(file.span);
            registry.metrics.extend(file.metric);
            registry.events.extend(file.event);
            registry.entities.extend(file.entity);
            registry.waivers.extend(file.waiver);
        }
        registry.check()?;
        Ok(registry)
    }

    /// The rule that a series falls under.
    pub fn metric(&self, name: &str, attributes: &Attributes) -> Option<&MetricRule> {
        let of_its_name = |rule: &&MetricRule| rule.name == name;
        self.metrics
            .iter()
            .filter(of_its_name)
            .find(|rule| is_system(rule.system.as_deref(), attributes))
    }

    /// What replaced the deprecated attribute `key`.
    pub fn successor(&self, key: &str) -> Option<&str> {
        successor(&self.deprecated.attributes, key)
    }

    /// What replaced the deprecated metric `name`.
    pub fn metric_successor(&self, name: &str) -> Option<&str> {
        successor(&self.deprecated.metrics, name)
    }

    fn check(&self) -> anyhow::Result<()> {
        let rows = (self.spans.iter().map(|rule| (&rule.id, &rule.row)))
            .chain(self.metrics.iter().map(|rule| (&rule.name, &rule.row)))
            .chain(self.events.iter().map(|rule| (&rule.name, &rule.row)))
            .chain(self.entities.iter().map(|rule| (&rule.id, &rule.row)));
        let mut ids = Vec::new();
        for (id, row) in rows {
            for name in row.names() {
                ensure!(
                    self.attributes.contains_key(name),
                    "semconv: `{id}` names `{name}`, which is not defined"
                );
            }
            ids.push(id);
        }
        for waiver in &self.waivers {
            let Waiver {
                rule,
                attribute,
                reason,
                ..
            } = waiver;
            ensure!(
                ids.contains(&rule) && !reason.is_empty(),
                "semconv: a waiver for `{attribute}` of no rule `{rule}`"
            );
        }
        Ok(())
    }
}

/// Whether `attributes` are of this database system, or of any if it is none.
pub fn is_system(system: Option<&str>, attributes: &Attributes) -> bool {
    system.is_none_or(|system| {
        attributes.get("db.system.name").and_then(Value::as_str) == Some(system)
    })
}

fn successor<'a>(deprecated: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let matches = |old: &str| old == name || (old.ends_with('.') && name.starts_with(old));
    deprecated
        .iter()
        .find(|(old, _)| matches(old))
        .map(|(_, new)| new.as_str())
}

fn kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "internal" => Ok(Kind::Internal),
        "server" => Ok(Kind::Server),
        "client" => Ok(Kind::Client),
        "producer" => Ok(Kind::Producer),
        "consumer" => Ok(Kind::Consumer),
        other => Err(serde::de::Error::custom(format!("no span kind `{other}`"))),
    }
}

fn instrument<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Instrument, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "counter" => Ok(Instrument::Counter),
        "updowncounter" => Ok(Instrument::UpDownCounter),
        "gauge" => Ok(Instrument::Gauge),
        "histogram" => Ok(Instrument::Histogram),
        other => Err(serde::de::Error::custom(format!("no instrument `{other}`"))),
    }
}

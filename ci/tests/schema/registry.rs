//! `telemetry/schema/` of a service, in the format of OpenTelemetry Weaver
//! (<https://github.com/open-telemetry/weaver/blob/main/schemas/semconv-syntax.md>), and the names of the conventions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use ci::conformance::{Registry, Row};
use ci::specimens::Specimen;
use serde::Deserialize;

use super::logged;
use super::upstream::Upstream;

const MANIFEST: &str = "manifest";
const STABILITY: [&str; 5] = [
    "alpha",
    "beta",
    "development",
    "release_candidate",
    "stable",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    description: String,
    schema_url: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependency {
    schema_url: String,
    registry_path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    imports: Imports,
    groups: Vec<Group>,
}

/// Signals of the conventions, each by its name or by how it begins, `http.server.*`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Imports {
    metrics: Vec<String>,
    events: Vec<String>,
    entities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    id: String,
    r#type: String,
    brief: String,
    stability: String,
    #[serde(rename = "display_name")]
    _display_name: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
    span_kind: Option<String>,
    metric_name: Option<String>,
    instrument: Option<String>,
    unit: Option<String>,
    #[serde(default)]
    attributes: Vec<WrittenAttribute>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAttribute {
    Reference(Reference),
    Definition(WrittenDefinition),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    r#ref: String,
    #[serde(rename = "requirement_level")]
    _requirement_level: Option<RequirementLevel>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RequirementLevel {
    Word(#[expect(dead_code, reason = "only its form matters")] String),
    If(#[expect(dead_code, reason = "only its form matters")] BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDefinition {
    id: String,
    r#type: Type,
    brief: String,
    stability: String,
    examples: Vec<Example>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Type {
    Plain(String),
    Closed { members: Vec<Member> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    #[serde(rename = "id")]
    _id: String,
    value: String,
    brief: String,
    stability: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Example {
    Number(#[expect(dead_code, reason = "its type is what matters")] i64),
    Text(String),
}

/// An attribute as the own registry defines it.
#[derive(Debug)]
pub struct Attribute {
    pub of_type: String,
    /// Of a closed list.
    pub values: Vec<String>,
}

#[derive(Debug)]
pub struct Metric {
    pub instrument: String,
    pub unit: String,
}

/// The own registry of one service.
#[derive(Debug, Default)]
pub struct Own {
    pub attributes: BTreeMap<String, Attribute>,
    pub metrics: BTreeMap<String, Metric>,
    pub spans: BTreeSet<String>,
    /// Fields of log records, each with the file that names it.
    pub logged: Vec<(String, String)>,
    imports: Imports,
    references: BTreeSet<String>,
}

/// The files of the registry, by their name without `.yaml`.
pub fn files(specimen: &Specimen) -> impl Iterator<Item = (String, &str)> {
    specimen.files.iter().filter_map(|(path, content)| {
        let name = path.strip_prefix(Path::new("telemetry/schema")).ok()?;
        let name = name.to_str()?.strip_suffix(".yaml")?.to_owned();
        Some((name, std::str::from_utf8(content).ok()?))
    })
}

impl Own {
    /// # Errors
    /// A file is not of the format, or a definition says less than it must.
    pub fn of(specimen: &Specimen) -> Result<Self> {
        let mut own = Self {
            logged: logged::fields(specimen),
            ..Self::default()
        };
        for (name, text) in files(specimen) {
            if name == MANIFEST {
                manifest(text).context("manifest.yaml")?;
                continue;
            }
            let File { imports, groups } =
                serde_saphyr::from_str(text).with_context(|| format!("{name}.yaml"))?;
            own.imports.metrics.extend(imports.metrics);
            own.imports.events.extend(imports.events);
            own.imports.entities.extend(imports.entities);
            for group in groups {
                let id = group.id.clone();
                own.add(group)
                    .with_context(|| format!("{name}.yaml: {id}"))?;
            }
        }
        let upstream = Upstream::load()?;
        for name in &own.references {
            ensure!(
                own.attributes.contains_key(name) || upstream.attributes.contains(name),
                "a reference to `{name}`, which nobody defines"
            );
        }
        Ok(own)
    }

    fn add(&mut self, group: Group) -> Result<()> {
        described(&group.brief, &group.stability)?;
        for attribute in group.attributes {
            match attribute {
                WrittenAttribute::Reference(reference) => {
                    self.references.insert(reference.r#ref);
                }
                WrittenAttribute::Definition(definition) => {
                    let name = definition.id.clone();
                    let attribute = attribute_of(definition).with_context(|| name.clone())?;
                    let known = self.attributes.insert(name.clone(), attribute);
                    ensure!(known.is_none(), "{name} is defined twice");
                }
            }
        }
        match group.r#type.as_str() {
            "attribute_group" => ensure!(group.id.starts_with("registry."), "the id's form"),
            "span" => {
                let name = group.id.strip_prefix("span.").context("the id's form")?;
                ensure!(group.span_kind.as_deref() == Some("internal"), "its kind");
                self.spans.insert(name.to_owned());
            }
            "metric" => {
                let name = group.metric_name.context("no name")?;
                ensure!(group.id == format!("metric.{name}"), "the id's form");
                let metric = Metric {
                    instrument: group.instrument.context("no instrument")?,
                    unit: group.unit.context("no unit")?,
                };
                self.metrics.insert(name, metric);
            }
            other => bail!("no type of group: {other}"),
        }
        Ok(())
    }

    /// What this registry knows of the conventions: the signals that it imports, their attributes, and those that it
    /// refers to. To OpenTelemetry Weaver all else is unknown.
    pub fn known(&self, conventions: &Registry) -> Upstream {
        let mut known = Upstream {
            attributes: self.references.clone(),
            metrics: BTreeSet::new(),
            events: BTreeSet::new(),
        };
        let mut attributes = |row: &Row| known.attributes.extend(row.names().map(str::to_owned));
        for rule in &conventions.metrics {
            if is_named(&self.imports.metrics, &rule.name) {
                known.metrics.insert(rule.name.clone());
                attributes(&rule.row);
            }
        }
        for rule in &conventions.events {
            if is_named(&self.imports.events, &rule.name) {
                known.events.insert(rule.name.clone());
                attributes(&rule.row);
            }
        }
        for rule in &conventions.entities {
            if is_named(&self.imports.entities, &rule.id) {
                attributes(&rule.row);
            }
        }
        known
    }

    /// Names of attributes, metrics and spans.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let attributes = self.attributes.keys();
        let all = attributes.chain(self.metrics.keys()).chain(&self.spans);
        all.map(String::as_str)
    }
}

fn is_named(patterns: &[String], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
}

fn manifest(text: &str) -> Result<()> {
    let Manifest {
        name,
        description,
        schema_url,
        dependencies,
    } = serde_saphyr::from_str(text)?;
    ensure!(!name.is_empty() && !description.is_empty(), "says nothing");
    ensure!(schema_url.starts_with("https://"), "its schema_url");
    let [conventions] = &dependencies[..] else {
        bail!("{} dependencies", dependencies.len());
    };
    let Dependency {
        schema_url,
        registry_path,
    } = conventions;
    ensure!(
        schema_url == "https://opentelemetry.io/schemas/1.44.0",
        "{schema_url}"
    );
    ensure!(
        registry_path.ends_with("semantic-conventions@v1.44.0[model]"),
        "{registry_path}"
    );
    Ok(())
}

fn attribute_of(definition: WrittenDefinition) -> Result<Attribute> {
    described(&definition.brief, &definition.stability)?;
    ensure!(!definition.examples.is_empty(), "no example");
    let texts: Vec<_> = definition
        .examples
        .iter()
        .filter_map(Example::text)
        .collect();
    let attribute = match definition.r#type {
        Type::Plain(of_type) => Attribute {
            of_type,
            values: Vec::new(),
        },
        Type::Closed { members } => {
            for member in &members {
                described(&member.brief, &member.stability)?;
            }
            let values: Vec<String> = members.into_iter().map(|member| member.value).collect();
            let is_member = |text: &&str| values.iter().any(|value| value == text);
            ensure!(texts.iter().all(is_member), "an example that is no member");
            Attribute {
                of_type: "string".to_owned(),
                values,
            }
        }
    };
    let expected = match attribute.of_type.as_str() {
        "string" => definition.examples.len(),
        "int" => 0,
        other => bail!("no type of attribute: {other}"),
    };
    ensure!(texts.len() == expected, "an example of another type");
    Ok(attribute)
}

fn described(brief: &str, stability: &str) -> Result<()> {
    ensure!(brief.ends_with('.'), "its brief is no sentence");
    ensure!(STABILITY.contains(&stability), "no stability: {stability}");
    Ok(())
}

impl Example {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

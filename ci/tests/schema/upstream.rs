//! The names of the semantic conventions, as the judge knows them (`ci/semconv/`).

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use ci::conformance::Registry;

/// The names that the judge knows and that are not ours.
#[derive(Debug)]
pub struct Upstream {
    pub attributes: BTreeSet<String>,
    pub metrics: BTreeSet<String>,
    pub events: BTreeSet<String>,
}

impl Upstream {
    /// # Errors
    /// `ci/semconv/` is malformed.
    pub fn load() -> Result<Self> {
        let registry = Registry::load()?;
        let own = own_of_the_judge()?;
        let others = |names: Vec<String>| -> BTreeSet<String> {
            names
                .into_iter()
                .filter(|name| !own.contains(name))
                .collect()
        };
        Ok(Self {
            attributes: others(registry.attributes.into_keys().collect()),
            metrics: others(registry.metrics.into_iter().map(|rule| rule.name).collect()),
            events: others(registry.events.into_iter().map(|rule| rule.name).collect()),
        })
    }

    pub fn has(&self, name: &str) -> bool {
        let all = [&self.attributes, &self.metrics, &self.events];
        all.iter().any(|names| names.contains(name))
    }
}

/// The names in `ci/semconv/own.toml`.
///
/// # Errors
/// The file is malformed.
pub fn own_of_the_judge() -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(ci::root().join("ci/semconv/own.toml"))?;
    let table: toml::Table = text.parse()?;
    let attributes = table["attributes"].as_table().context("no attributes")?;
    let mut names: BTreeSet<String> = attributes.keys().cloned().collect();
    for (rows, key) in [("span", "id"), ("metric", "name")] {
        for row in table[rows].as_array().context("no rows")? {
            names.insert(row[key].as_str().context("no name")?.to_owned());
        }
    }
    Ok(names)
}

//! What each answer brings, by comparison: the default service beside one that differs in this answer alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use crate::options::{Choice, Kind, Options, Question};
use crate::scenario::{Part, Parts};
use crate::specimens::Specimen;
use crate::stacks::{self, Stack};

/// All questions and their choices as text.
///
/// # Errors
/// A generation fails.
pub fn all() -> Result<String> {
    let default = Specimen::new(&stacks::default()?)?;
    let mut text = String::new();
    for question in &Options::load()?.questions {
        let many = if question.kind == Kind::Many {
            "any of; Enter takes "
        } else {
            "one of; Enter takes "
        };
        let taken = match &question.default[..] {
            [] => "none".to_owned(),
            default => default.join(", "),
        };
        let Question { name, prompt, .. } = question;
        writeln!(text, "{name} - {prompt} ({many}{taken})")?;
        for choice in &question.choices {
            describe(&mut text, &default, question, choice)?;
        }
        text.push('\n');
    }
    Ok(text)
}

fn describe(
    text: &mut String,
    default: &Specimen,
    question: &Question,
    choice: &Choice,
) -> Result<()> {
    writeln!(text, "  {}", choice.label)?;
    let is_default = question.default.contains(&choice.value);
    // What a default brings is what is missing without it.
    let sign = if is_default { '~' } else { '+' };
    let other = match question.kind {
        Kind::Many => Some(format!("{}{sign}{}", default.stack, choice.value)),
        Kind::One if is_default => None,
        Kind::One => Some(answered(&default.stack, question, &choice.value)),
    };
    if let Some(other) = other {
        let other = Specimen::new(&other.parse()?)?;
        let (with, without) = if is_default {
            (default, &other)
        } else {
            (&other, default)
        };
        line(text, "files", &files(with, without))?;
        line(text, "without", &files(without, with))?;
        let (crates, others) = (dependencies(with)?, dependencies(without)?);
        let crates: Vec<_> = crates.difference(&others).cloned().collect();
        line(text, "crates", &crates)?;
        line(text, "needs", &needs(with, without))?;
    }
    Ok(())
}

/// The default stack's name with another answer.
fn answered(stack: &Stack, question: &Question, value: &str) -> String {
    let stem = ["framework", "database", "http_client"];
    if !stem.contains(&&*question.name) {
        return format!("{stack}+{value}");
    }
    let answer = |name: &&str| {
        if *name == question.name {
            value.to_owned()
        } else {
            stack.one(name).unwrap_or_default().to_owned()
        }
    };
    stem.iter().map(answer).collect::<Vec<_>>().join("-")
}

fn line(text: &mut String, head: &str, items: &[String]) -> std::fmt::Result {
    const SHOWN: usize = 6;
    if items.is_empty() {
        return Ok(());
    }
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let more = match items.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    writeln!(text, "      {head:<8}{}{more}", shown.join(", "))
}

/// What one has and the other has not: files, or folders of which the other has nothing.
fn files(with: &Specimen, without: &Specimen) -> Vec<String> {
    let mut names = BTreeSet::new();
    for path in with.files.keys() {
        if without.files.contains_key(path) {
            continue;
        }
        let parents = path
            .ancestors()
            .skip(1)
            .filter(|folder| folder.iter().next().is_some());
        let whole =
            parents.filter(|folder| !without.files.keys().any(|other| other.starts_with(folder)));
        let name = whole.last().map_or_else(
            || path.display().to_string(),
            |folder| format!("{}/", folder.display()),
        );
        names.insert(name);
    }
    names.into_iter().collect()
}

fn dependencies(specimen: &Specimen) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for manifest in ["Cargo.toml", "proto/Cargo.toml", "telemetry/Cargo.toml"] {
        let Some(text) = specimen.text(manifest) else {
            continue;
        };
        let manifest: toml::Table = toml::from_str(text).context("a generated manifest")?;
        let table = manifest.get("dependencies").and_then(toml::Value::as_table);
        let own = |entry: &toml::Value| entry.get("path").is_some();
        let others = table.into_iter().flatten().filter(|(_, entry)| !own(entry));
        names.extend(others.map(|(name, _)| name.clone()));
    }
    Ok(names)
}

/// Servers and programs that must be there.
fn needs(with: &Specimen, without: &Specimen) -> Vec<String> {
    let servers = |specimen: &Specimen| {
        let stack = &specimen.stack;
        let mut needs = BTreeSet::new();
        if stack.has("database", "postgres") {
            needs.insert("PostgreSQL (DATABASE_URL)".to_owned());
        }
        if stack.has("database", "mysql") {
            needs.insert("MySQL or MariaDB (DATABASE_URL)".to_owned());
        }
        if Parts::of(stack).has(Part::Redis) {
            needs.insert("Redis (REDIS_URL)".to_owned());
        }
        for (choice, program) in [
            ("containers", "Docker, to use it"),
            ("kubernetes", "kubectl and a cluster, to use it"),
            ("dashboards", "Grafana and Prometheus, to use it"),
        ] {
            if stack.has("ops", choice) {
                needs.insert(program.to_owned());
            }
        }
        needs
    };
    servers(with)
        .difference(&servers(without))
        .cloned()
        .collect()
}

//! Every environment variable of telemetry in one table, `table.txt`: those of the specification, whoever honours them or
//! why nobody does, and our own.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use std::fmt::Write as _;

use crate::{env::Env, transport::without_credentials};

/// A line each: name `|` who honours it `|` allowed values `|` default `|` meaning, or why nobody honours it. `{_*}` in a
/// name stands for nothing, `_TRACES`, `_METRICS` and `_LOGS`. A line that begins with `#` is a heading.
const TABLE: &str = include_str!("table.txt");

/// Who honours a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The SDK and its exporters read it themselves.
    Sdk,
    /// This crate.
    Us,
    Nobody,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Variable {
    /// With its `{_*}`.
    pattern: &'static str,
    by: By,
    allowed: &'static str,
    default: &'static str,
    /// Or why nobody honours it.
    meaning: &'static str,
}

impl Variable {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('|').map(str::trim);
        let mut column = || columns.next();
        let (pattern, by) = (column()?, column()?);
        Some(Self {
            pattern,
            by: match by {
                "sdk" => By::Sdk,
                "us" => By::Us,
                "no" => By::Nobody,
                _ => return None,
            },
            allowed: column()?,
            default: column()?,
            meaning: column()?,
        })
    }

    /// The names it stands for, the general one first.
    fn names(&self) -> Vec<String> {
        if !self.pattern.contains("{_*}") {
            return vec![self.pattern.to_owned()];
        }
        let signals = ["", "_TRACES", "_METRICS", "_LOGS"];
        let names = signals.map(|signal| self.pattern.replace("{_*}", signal));
        names.to_vec()
    }

    /// A value as it may be shown.
    fn shown(&self, value: &str) -> String {
        if self.pattern.contains("HEADERS") {
            "(not shown)".to_owned()
        } else {
            format!("{:?}", without_credentials(value))
        }
    }
}

fn variables() -> impl Iterator<Item = Variable> {
    TABLE.lines().filter_map(Variable::parse)
}

/// Every variable of telemetry: who honours it, its meaning, what is allowed, the default, and what it is set to now, for
/// people. Values of headers are not shown.
#[must_use]
pub fn help() -> String {
    help_of(&Env::from_process())
}

fn help_of(env: &Env) -> String {
    let mut text = String::from("Environment variables of telemetry\n");
    for line in TABLE.lines() {
        match (Variable::parse(line), line.strip_prefix('#')) {
            (Some(variable), _) => describe(&variable, env, &mut text),
            (None, Some(heading)) => {
                let _ = write!(text, "\n{}:\n", heading.trim());
            }
            (None, None) => {}
        }
    }
    text
}

fn describe(variable: &Variable, env: &Env, text: &mut String) {
    let by = match variable.by {
        By::Sdk => " (read by the SDK)",
        By::Us => "",
        By::Nobody => " (not supported)",
    };
    let mut names = variable.names();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {}{by}", names[0]);
    let mut line = |what: &str| {
        if !what.is_empty() {
            let _ = writeln!(text, "          {what}");
        }
    };
    line(variable.meaning);
    match (variable.allowed, variable.default) {
        ("", _) => {}
        (allowed, "") => line(allowed),
        (allowed, default) => line(&format!("{allowed} [{default}]")),
    }
    if names.len() > 1 {
        line(&format!(
            "for one signal: {}",
            variable.pattern.replace("{_*}", "_{TRACES,METRICS,LOGS}")
        ));
    }
    names.retain(|name| env.get(name).is_some());
    for name in names {
        let value = variable.shown(&env.get(&name).unwrap_or_default());
        line(&format!("now {name}={value}"));
    }
}

/// Says of each variable that is set and that nobody honours, why.
pub(crate) fn warn_of_unsupported(env: &mut Env) {
    for variable in variables().filter(|variable| variable.by == By::Nobody) {
        if env.get(variable.pattern).is_some() {
            let Variable {
                pattern, meaning, ..
            } = variable;
            env.warnings
                .push(format!("{pattern} is not supported: {meaning}"));
        }
    }
}

#[cfg(test)]
mod tests;

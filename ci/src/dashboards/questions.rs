//! What is asked of Prometheus.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::servers::Prometheus;

/// What Grafana would say for `$__rate_interval`, were the time between two exports a second.
const RATE_INTERVAL: &str = "30s";
/// Nothing brings these about here, and their answer is empty while all is well.
const EMPTY_WHEN_WELL: [(&str, &str); 1] = [(
    "cache.json: Errors",
    "Redis answers, whatever the scenario asks",
)];

/// Somewhere, something is asked.
#[derive(Clone, Debug)]
pub struct Question {
    place: String,
    expression: String,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.expression)
    }
}

impl Question {
    /// Whether Prometheus has a number for it.
    ///
    /// # Errors
    /// It is no PromQL.
    pub(super) async fn has_an_answer(&self, prometheus: &Prometheus) -> Result<bool> {
        let samples = prometheus.query(&self.expression).await?;
        Ok(samples.iter().any(|sample| sample.value.is_finite()))
    }
}

/// What each panel and each variable of the dashboards asks, `$job` being what Prometheus calls this service.
pub(super) async fn of_dashboards(
    dashboards: &Path,
    prometheus: &Prometheus,
) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dashboards)? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let board: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let mut job = None;
        for variable in list(&board["templating"]["list"]) {
            let Some(query) = variable["query"]["query"].as_str() else {
                continue;
            };
            let (metric, label) = label_values(query).with_context(|| query.to_owned())?;
            let values = prometheus
                .query(&format!("group by ({label}) ({metric})"))
                .await?;
            let value = values.first().and_then(|one| one.labels[label].as_str());
            job = value.map(str::to_owned);
        }
        let job = job.with_context(|| format!("{file}: there is no service to choose"))?;
        for panel in list(&board["panels"]) {
            let place = format!("{file}: {}", panel["title"].as_str().unwrap_or_default());
            let known = EMPTY_WHEN_WELL.iter().any(|(panel, _)| *panel == place);
            if panel["datasource"]["type"] != "prometheus" || known {
                continue;
            }
            for target in list(&panel["targets"]) {
                let expression = target["expr"].as_str().context("an expression")?;
                questions.push(Question {
                    place: place.clone(),
                    expression: expression
                        .replace("$job", &job)
                        .replace("$__rate_interval", RATE_INTERVAL),
                });
            }
        }
    }
    Ok(questions)
}

/// What the rules select: that alerts are silent is as it should be, but what they look at must be there.
pub(super) async fn of_rules(prometheus: &Prometheus) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for rule in prometheus.rules().await? {
        let expressions = match rule.records {
            true => vec![rule.name.clone()],
            false => selectors(&rule.expression),
        };
        ensure!(!expressions.is_empty(), "{} selects nothing", rule.name);
        questions.extend(expressions.into_iter().map(|expression| Question {
            place: rule.name.clone(),
            expression,
        }));
    }
    Ok(questions)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The metric and the label of `label_values(metric, label)`.
fn label_values(query: &str) -> Option<(&str, &str)> {
    let inner = query.strip_prefix("label_values(")?.strip_suffix(')')?;
    inner.split_once(", ")
}

/// The series that an expression reads: names that are followed by no bracket, with their matchers.
fn selectors(expression: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c| is_word(c) || c == '(') {
        rest = &rest[start..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        // Metrics have several words in their names, and nothing else here has; labels do, but stand in lists.
        if word.is_empty() {
            rest = &rest[1..];
        } else if ["by", "on", "without", "ignoring"].contains(&word) {
            rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        } else if word.contains(['_', ':']) && !behind.trim_start().starts_with('(') {
            let matchers = match behind.strip_prefix('{') {
                Some(inner) => inner.find('}').map_or(0, |end| end + 2),
                None => 0,
            };
            found.push(format!("{word}{}", &behind[..matchers]));
            rest = &behind[matchers..];
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_found() {
        let expression = "(sum by (job, http_route) (rate(a_b_count{x_y!=\"\"}[5m])) / on (a_b) sum(c_d)) > 14.4 * 0.001 \
                          and last_over_time(c_d[1h]) unless a:b_c:d > 1";
        assert_eq!(
            selectors(expression),
            ["a:b_c:d", "a_b_count{x_y!=\"\"}", "c_d"]
        );
    }
}

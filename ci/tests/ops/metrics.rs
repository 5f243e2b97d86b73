//! Every metric and label that a dashboard or an alert uses is one that this very service sends: read off the contract, under
//! the names that Prometheus gives them. That a real Prometheus answers, `cargo run -- dashboards` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ci::contract::directory;
use ci::dashboards::exposition::{family, label};
use ci::scenario::{Part, Parts};
use ci::specimens::Specimen;
use serde_json::Value;

use crate::promql::{Names, names, placeholders};
use crate::{none, specimens, yaml};

/// What Prometheus itself adds: which service, which process of it, the bounds of a histogram.
const ADDED: [&str; 3] = ["instance", "job", "le"];
/// Labels that the scenario does not bring about, with the reason.
const NOT_IN_THE_SCENARIO: [(&str, &str); 1] = [(
    "error_type",
    "Redis fails in the tests of telemetry, not in the scenario",
)];
/// Metrics that nobody has to look at, with the reason.
const NOT_SHOWN: [(&str, &str); 4] = [
    ("db_client_connection_idle_max", "a constant"),
    ("db_client_connection_idle_min", "a constant"),
    (
        "process_memory_virtual_bytes",
        "address space, which costs nothing",
    ),
    ("tokio_worker_parks_total", "a detail of the busy time"),
];

/// A metric's labels, by its name in Prometheus.
type Sent = BTreeMap<String, BTreeSet<String>>;

/// What a service with `parts` sends.
fn sent(parts: &Parts) -> Sent {
    let mut files = vec!["metrics".to_owned(), "metrics.runtime".to_owned()];
    let present = Part::ALL.into_iter().filter(|part| parts.has(*part));
    files.extend(present.map(|part| format!("metrics.{}", part.name())));
    let mut sent = Sent::new();
    for file in files {
        let text = fs::read_to_string(directory().join(file + ".txt")).unwrap();
        let mut current = Vec::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("METRIC ") {
                current = translated(head);
                for name in &current {
                    sent.entry(name.clone()).or_default();
                }
            }
            let pairs = line.split(' ').filter_map(|word| word.split_once('='));
            let labels: Vec<_> = pairs.map(|(name, _)| label(name)).collect();
            for name in &current {
                sent.get_mut(name).unwrap().extend(labels.iter().cloned());
            }
        }
    }
    sent
}

/// The names in Prometheus of a metric whose head in the contract is `name instrument unit …`.
fn translated(head: &str) -> Vec<String> {
    let [name, instrument, unit, ..] = head.split(' ').collect::<Vec<_>>()[..] else {
        panic!("`{head}`");
    };
    let name = family(name, unit, instrument);
    match instrument {
        "histogram" => ["_bucket", "_count", "_sum"]
            .map(|end| name.clone() + end)
            .to_vec(),
        "counter" | "gauge" | "updowncounter" => vec![name],
        _ => panic!("`{head}`"),
    }
}

/// An expression, and the labels in the texts beside it.
struct Use {
    place: String,
    names: Names,
}

fn uses(specimen: &Specimen) -> Vec<Use> {
    let mut uses = Vec::new();
    for path in specimen.files.keys() {
        let place = path.display().to_string();
        if path.starts_with("deploy/grafana/dashboards") {
            let board: Value = serde_json::from_str(specimen.text(&place).unwrap()).unwrap();
            let variables = board["templating"]["list"].as_array().unwrap().iter();
            for query in variables.filter_map(|variable| variable["query"]["query"].as_str()) {
                let inner = query
                    .strip_prefix("label_values(")
                    .unwrap()
                    .trim_end_matches(')');
                let (metric, label) = inner.split_once(", ").unwrap();
                let names = names(&format!("sum by ({label}) ({metric})"));
                uses.push(Use {
                    place: place.clone(),
                    names,
                });
            }
            for panel in board["panels"].as_array().unwrap() {
                let ours = panel["datasource"]["type"] == "prometheus";
                for target in panel["targets"].as_array().unwrap().iter().filter(|_| ours) {
                    let mut names = names(target["expr"].as_str().unwrap());
                    let legend = target["legendFormat"].as_str().unwrap_or_default();
                    names.labels.extend(placeholders(legend));
                    uses.push(Use {
                        place: format!("{place}, {}", panel["title"]),
                        names,
                    });
                }
            }
        } else if path.starts_with("deploy/prometheus/rules") {
            let file = yaml(specimen.text(&place).unwrap());
            for group in file["groups"].as_array().unwrap() {
                for rule in group["rules"].as_array().unwrap() {
                    let mut names = names(rule["expr"].as_str().unwrap());
                    let texts = rule["annotations"].as_object().into_iter().flatten();
                    for (_, text) in texts {
                        names.labels.extend(placeholders(text.as_str().unwrap()));
                    }
                    uses.push(Use {
                        place: format!("{place}, {rule}"),
                        names,
                    });
                }
            }
        }
    }
    uses
}

/// A rule's own metric: `level:metric:operations`, whose labels its level names.
fn recorded(name: &str) -> Option<BTreeSet<String>> {
    let level = name.split_once(':')?.0;
    let labels = [("job", "job"), ("route", "http_route")];
    let named = labels.iter().filter(|(word, _)| level.contains(word));
    Some(named.map(|(_, label)| (*label).to_owned()).collect())
}

#[test]
fn every_metric_and_label_in_use_is_sent() {
    let mut complaints = Vec::new();
    for specimen in specimens() {
        let sent = sent(&Parts::of(&specimen.stack));
        for Use { place, names } in uses(specimen) {
            let mut labels: BTreeSet<String> = ADDED.map(str::to_owned).into();
            labels.extend(NOT_IN_THE_SCENARIO.map(|(label, _)| label.to_owned()));
            for metric in &names.metrics {
                match recorded(metric).as_ref().or_else(|| sent.get(metric)) {
                    Some(known) => labels.extend(known.iter().cloned()),
                    None => complaints.push(format!(
                        "{}: {place}: nothing sends `{metric}`",
                        specimen.stack
                    )),
                }
            }
            assert!(!names.metrics.is_empty(), "{place}");
            for label in names.labels.difference(&labels) {
                complaints.push(format!(
                    "{}: {place}: nothing has `{label}`",
                    specimen.stack
                ));
            }
        }
    }
    none(complaints);
}

/// A metric that nobody sees might as well not be sent.
#[test]
fn every_metric_is_on_a_dashboard() {
    for specimen in specimens() {
        if !specimen.stack.has("ops", "dashboards") {
            continue;
        }
        let shown: BTreeSet<String> = uses(specimen)
            .into_iter()
            .filter(|used| used.place.starts_with("deploy/grafana"))
            .flat_map(|used| used.names.metrics)
            .collect();
        for metric in sent(&Parts::of(&specimen.stack)).keys() {
            let base = metric
                .trim_end_matches("_bucket")
                .trim_end_matches("_count");
            let by_another =
                metric.ends_with("_sum") || shown.iter().any(|name| name.starts_with(base));
            let known = NOT_SHOWN.iter().any(|(name, _)| name == metric);
            assert!(by_another || known, "{}: {metric}", specimen.stack);
            assert!(
                !known || !shown.contains(metric),
                "{metric} is shown by now"
            );
        }
    }
}

//! The collectors' configurations. No collector runs here, so this is what can be said without one: pipelines are made of what
//! is configured, nothing is configured for nothing, and what must come first or last does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{specimens, yaml};

const KINDS: [&str; 3] = ["receivers", "processors", "exporters"];

fn keys(value: &Value) -> BTreeSet<&str> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, _)| key.as_str()).collect()
}

fn list(value: &Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap()).collect()
}

fn hold(name: &str, config: &Value) {
    let pipelines = config["service"]["pipelines"].as_object().unwrap();
    for kind in KINDS {
        let used: BTreeSet<_> = pipelines
            .values()
            .flat_map(|pipeline| list(&pipeline[kind]))
            .collect();
        assert_eq!(keys(&config[kind]), used, "{name}: {kind}");
    }
    let extensions: BTreeSet<_> = list(&config["service"]["extensions"]).into_iter().collect();
    assert_eq!(keys(&config["extensions"]), extensions, "{name}");
    for (signal, pipeline) in pipelines {
        let processors = list(&pipeline["processors"]);
        assert_eq!(
            processors.first(),
            Some(&"memory_limiter"),
            "{name}: {signal}"
        );
        assert_eq!(processors.last(), Some(&"batch"), "{name}: {signal}");
    }
}

#[test]
fn pipelines_are_made_of_what_is_configured() {
    let mut seen = BTreeSet::new();
    for specimen in specimens() {
        for path in specimen.files.keys() {
            let name = path.to_string_lossy();
            if name.ends_with("collector/compose.yaml") || name.ends_with("-config.yaml") {
                hold(&name, &yaml(specimen.text(&name).unwrap()));
                seen.insert(name.into_owned());
            }
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

/// A secret must be cut out whichever way it goes: before the spans leave for the sampler, too.
#[test]
fn what_comes_in_from_a_service_is_redacted_alike() {
    let specimen = specimens().iter().find(|it| {
        it.files
            .keys()
            .any(|path| path.ends_with("gateway-config.yaml"))
    });
    let gateway = specimen
        .unwrap()
        .text("deploy/kubernetes/collector/gateway-config.yaml");
    let compose = specimens()
        .iter()
        .find_map(|it| it.text("deploy/collector/compose.yaml"));
    let [gateway, compose] = [gateway, compose].map(|text| yaml(text.unwrap()));
    assert_eq!(
        gateway["processors"]["redaction"],
        compose["processors"]["redaction"]
    );
    for config in [gateway, compose] {
        for (signal, pipeline) in config["service"]["pipelines"].as_object().unwrap() {
            assert!(
                list(&pipeline["processors"]).contains(&"redaction"),
                "{signal}"
            );
        }
    }
}

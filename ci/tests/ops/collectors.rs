//! The collectors' configurations. No collector with all these parts runs here, so this is what can be said without one: pipelines
//! are made of what is configured, nothing is configured for nothing, what must come first or last does, and each setting is one
//! of its part, in the type that the part's `config.schema.yaml` gives it: collectors convert none.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{specimens, yaml};

const KINDS: [&str; 3] = ["receivers", "processors", "exporters"];

/// Settings of parts, and the first letter of their types: string, number, boolean.
const SETTINGS: [(&str, char); 27] = [
    ("batch.timeout", 's'),
    ("health_check.endpoint", 's'),
    ("loadbalancing.protocol.otlp.tls.insecure", 'b'),
    ("loadbalancing.resolver.dns.hostname", 's'),
    ("loadbalancing.resolver.dns.port", 's'),
    ("loadbalancing.routing_key", 's'),
    ("memory_limiter.check_interval", 's'),
    ("memory_limiter.limit_percentage", 'n'),
    ("memory_limiter.spike_limit_percentage", 'n'),
    ("otlp.protocols.grpc.endpoint", 's'),
    ("otlp.protocols.http.endpoint", 's'),
    ("otlp_grpc.endpoint", 's'),
    ("otlp_grpc.headers.authorization", 's'),
    ("otlp_grpc.tls.insecure", 'b'),
    ("redaction.allow_all_keys", 'b'),
    ("redaction.blocked_key_patterns", 's'),
    ("redaction.blocked_values", 's'),
    ("redaction.summary", 's'),
    ("tail_sampling.decision_cache.non_sampled_cache_size", 'n'),
    ("tail_sampling.decision_cache.sampled_cache_size", 'n'),
    ("tail_sampling.decision_wait", 's'),
    ("tail_sampling.num_traces", 'n'),
    ("tail_sampling.policies.latency.threshold_ms", 'n'),
    ("tail_sampling.policies.name", 's'),
    (
        "tail_sampling.policies.probabilistic.sampling_percentage",
        'n',
    ),
    ("tail_sampling.policies.status_code.status_codes", 's'),
    ("tail_sampling.policies.type", 's'),
];

/// The settings below `value`, by their path.
fn settings(path: &str, value: &Value, found: &mut BTreeSet<(String, char)>) {
    let kind = match value {
        Value::Object(map) => {
            for (key, value) in map {
                settings(&format!("{path}.{key}"), value, found);
            }
            return;
        }
        Value::Array(items) => {
            for item in items {
                settings(path, item, found);
            }
            return;
        }
        Value::String(_) => 's',
        Value::Number(_) => 'n',
        Value::Bool(_) => 'b',
        Value::Null => panic!("{path} says nothing"),
    };
    found.insert((path.trim_start_matches('.').to_owned(), kind));
}

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
    let (mut seen, mut used) = (BTreeSet::new(), BTreeSet::new());
    for specimen in specimens() {
        for path in specimen.files.keys() {
            let name = path.to_string_lossy();
            if name.ends_with("collector/compose.yaml") || name.ends_with("-config.yaml") {
                let config = yaml(specimen.text(&name).unwrap());
                hold(&name, &config);
                for kind in KINDS.iter().chain(&["extensions"]) {
                    if let Some(parts) = config.get(kind) {
                        settings("", parts, &mut used);
                    }
                }
                seen.insert(name.into_owned());
            }
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    let known = SETTINGS.map(|(path, kind)| (path.to_owned(), kind));
    assert_eq!(used, known.into());
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

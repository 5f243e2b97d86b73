//! Each service's own registry (`telemetry/schema/`) and the semantic conventions (`ci/semconv/`) together define every name
//! in the contract, and the own registry defines nothing that no contract has. Nothing is compiled.

mod emitted;
mod logged;
mod registry;
mod upstream;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use ci::conformance::Registry;
use ci::contract;
use ci::scenario::Parts;
use ci::specimens::Specimen;
use ci::stacks::Stack;

use emitted::Emitted;
use registry::Own;
use upstream::Upstream;

/// What the scenario does not bring about, with the reason.
const NOT_IN_THE_SCENARIO: [(&str, &str); 1] = [(
    "job.given_up",
    "no job of the scenario fails in its last attempt",
)];

/// A registry for each set of parts, from a service that has them.
fn registries() -> &'static [(Stack, Own)] {
    static REGISTRIES: OnceLock<Vec<(Stack, Own)>> = OnceLock::new();
    REGISTRIES.get_or_init(|| {
        let specimens = Specimen::of(&contract::stacks().unwrap()).unwrap();
        let own = |specimen: Specimen| {
            let own = Own::of(&specimen);
            let own = own.unwrap_or_else(|error| panic!("{}: {error:#}", specimen.stack));
            (specimen.stack, own)
        };
        specimens.into_iter().map(own).collect()
    })
}

/// Here, or in what is imported of the conventions: so that `weaver registry live-check` needs no other registry.
#[test]
fn every_emitted_name_is_defined() {
    let conventions = Registry::load().unwrap();
    for (stack, own) in registries() {
        let emitted = Emitted::by(&Parts::of(stack)).unwrap();
        let undefined = emitted.undefined(own, &own.known(&conventions));
        assert!(undefined.is_empty(), "{stack}: {undefined:#?}");
    }
}

/// Also what is logged only when something goes wrong.
#[test]
fn every_logged_name_is_defined() {
    let conventions = Registry::load().unwrap();
    for (stack, own) in registries() {
        let known = own.known(&conventions);
        for (name, path) in &own.logged {
            let is_known = known.has(name) || own.attributes.contains_key(name);
            assert!(is_known, "{stack}: {path} logs `{name}`");
        }
    }
}

#[test]
fn every_definition_is_emitted() {
    for (stack, own) in registries() {
        let emitted = Emitted::by(&Parts::of(stack)).unwrap();
        let dead: Vec<_> = own.names().filter(|name| !emitted.has(name)).collect();
        for name in &dead {
            let is_known = NOT_IN_THE_SCENARIO.iter().any(|(known, _)| known == name);
            assert!(
                is_known,
                "{stack}: {name} is defined, but no contract has it"
            );
        }
        for (name, _) in NOT_IN_THE_SCENARIO {
            assert!(!emitted.has(name), "{name} is in the scenario by now");
        }
    }
}

/// What `ci/semconv/own.toml` tells the judge is what the services' registries say.
#[test]
fn the_judge_knows_the_same_definitions() {
    let judge = Registry::load().unwrap();
    let ours = upstream::own_of_the_judge().unwrap();
    let mut defined = BTreeSet::new();
    for (stack, own) in registries() {
        for (name, attribute) in &own.attributes {
            let Some(known) = judge.attributes.get(name) else {
                panic!("{stack}: the judge does not know `{name}`");
            };
            assert_eq!(known.of_type, attribute.of_type, "{name}");
            assert_eq!(known.values, attribute.values, "{name}");
        }
        for (name, metric) in &own.metrics {
            let Some(rule) = judge.metrics.iter().find(|rule| rule.name == *name) else {
                panic!("{stack}: the judge does not know `{name}`");
            };
            assert_eq!(rule.unit, metric.unit, "{name}");
            assert_eq!(rule.instrument.to_string(), metric.instrument, "{name}");
        }
        defined.extend(own.names().map(str::to_owned));
    }
    assert_eq!(defined, ours);
}

#[test]
fn no_own_name_is_one_of_the_conventions() {
    let upstream = Upstream::load().unwrap();
    for (stack, own) in registries() {
        for name in own.names() {
            assert!(
                !upstream.has(name),
                "{stack}: {name} is a name of the conventions"
            );
            assert!(!name.starts_with("otel."), "{stack}: {name} is reserved");
        }
    }
}

/// Types and units of what arrived: a definition that says another is not the one that was sent.
#[test]
fn metrics_are_sent_as_they_are_defined() {
    for (stack, own) in registries() {
        let emitted = Emitted::by(&Parts::of(stack)).unwrap();
        for (name, metric) in &own.metrics {
            if let Some((instrument, unit)) = emitted.metrics.get(name) {
                assert_eq!(
                    (instrument, unit),
                    (&metric.instrument, &metric.unit),
                    "{stack}: {name}"
                );
            }
        }
    }
}

#[test]
fn only_chosen_parts_have_a_file() {
    for (stack, files) in [
        (
            "axum-none-none",
            &[
                "conventions",
                "lifecycle",
                "manifest",
                "products",
                "tokio",
                "users",
            ][..],
        ),
        (
            "axum-none-reqwest",
            &[
                "conventions",
                "external",
                "lifecycle",
                "manifest",
                "products",
                "tokio",
                "users",
            ],
        ),
        (
            "axum-sqlite-none+jobs",
            &[
                "conventions",
                "jobs",
                "lifecycle",
                "manifest",
                "products",
                "tokio",
                "users",
            ],
        ),
        (
            "axum-none-none+redis+grpc",
            &[
                "cache",
                "conventions",
                "lifecycle",
                "manifest",
                "peer",
                "products",
                "tokio",
                "users",
            ],
        ),
        (
            "axum-none-reqwest+jobs+telemetry",
            &["conventions", "jobs", "manifest", "tokio"],
        ),
    ] {
        let specimen = Specimen::new(&stack.parse().unwrap()).unwrap();
        let found: Vec<String> = registry::files(&specimen).map(|(name, _)| name).collect();
        assert_eq!(found, files, "{stack}");
    }
}

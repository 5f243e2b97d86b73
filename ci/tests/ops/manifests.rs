//! What the manifests for Kubernetes say of the service.

use ci::specimens::Specimen;
use serde_json::Value;

use crate::names::{docker, ports};
use crate::specimens;

fn deployments() -> impl Iterator<Item = (&'static Specimen, Value)> {
    specimens().iter().filter_map(|specimen| {
        let deployment = crate::names::file(specimen, "deploy/kubernetes/base/deployment.yaml")?;
        Some((specimen, deployment))
    })
}

fn pod(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]
}

#[test]
fn ports_and_probes_are_those_of_the_service() {
    for (specimen, deployment) in deployments() {
        let container = &pod(&deployment)["containers"][0];
        let open = container["ports"].as_array().unwrap().iter();
        let open: Vec<_> = open
            .map(|port| port["containerPort"].as_u64().unwrap())
            .collect();
        assert_eq!(open, ports(specimen), "{}", specimen.stack);

        let web: String = specimen
            .files
            .iter()
            .filter(|(path, _)| path.starts_with("src/web"))
            .map(|(_, content)| String::from_utf8_lossy(content))
            .collect();
        for (probe, path) in [
            ("startupProbe", "/healthz"),
            ("livenessProbe", "/healthz"),
            ("readinessProbe", "/readyz"),
        ] {
            let get = &container[probe]["httpGet"];
            assert_eq!(
                (&get["path"], &get["port"]),
                (&path.into(), &"http".into()),
                "{probe}"
            );
            assert!(
                web.contains(path.trim_start_matches('/')),
                "{}: {path}",
                specimen.stack
            );
        }
    }
}

/// As the image says, and so that an attacker finds little.
#[test]
fn pods_run_as_the_images_user_and_may_do_nothing_else() {
    for (specimen, deployment) in deployments() {
        let pod = pod(&deployment);
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true);
        if let Some(dockerfile) = specimen.text("Dockerfile") {
            let user = format!("{}:{}", security["runAsUser"], security["runAsGroup"]);
            assert_eq!(docker(dockerfile, "USER"), [user]);
        }
        let init = pod["initContainers"].as_array().into_iter().flatten();
        for container in init.chain(pod["containers"].as_array().unwrap()) {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{container}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{container}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{container}");
            assert!(
                container["resources"]["limits"]["memory"].is_string(),
                "{container}"
            );
        }
    }
}

/// After SIGTERM: waiting for load balancers, for requests, and two seconds for telemetry.
#[test]
fn there_is_time_to_stop() {
    const FLUSH: u64 = 2;
    for (specimen, deployment) in deployments() {
        let pod = pod(&deployment);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        let wait = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            .as_u64()
            .unwrap();
        let text = specimen
            .text("deploy/kubernetes/base/kustomization.yaml")
            .unwrap();
        let drain = text.split_once("SHUTDOWN_TIMEOUT=").unwrap().1;
        let drain: u64 = drain.split_once('s').unwrap().0.parse().unwrap();
        assert!(wait + drain + FLUSH < grace, "{}", specimen.stack);
    }
}

/// The downward API's variables are defined before they are used, and every attribute is one of the conventions.
#[test]
fn pods_say_where_they_run() {
    for (specimen, deployment) in deployments() {
        let environment = pod(&deployment)["containers"][0]["env"].as_array().unwrap();
        let names: Vec<_> = environment
            .iter()
            .map(|variable| variable["name"].as_str().unwrap())
            .collect();
        let (last, before) = names.split_last().unwrap();
        assert_eq!(*last, "OTEL_RESOURCE_ATTRIBUTES");
        let value = environment.last().unwrap()["value"].as_str().unwrap();
        for pair in value.split(',') {
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("k8s."), "{}: {name}", specimen.stack);
            if let Some(variable) = value.strip_prefix("$(") {
                assert!(before.contains(&variable.trim_end_matches(')')), "{value}");
            }
        }
    }
}

/// SQLite is a file: two pods would have two databases.
#[test]
fn only_what_can_run_twice_is_scaled() {
    for (specimen, deployment) in deployments() {
        let scaled = specimen
            .text("deploy/kubernetes/overlays/production/scaling.yaml")
            .is_some();
        let file = specimen.stack.has("database", "sqlite");
        assert_eq!(scaled, !file, "{}", specimen.stack);
        assert_eq!(
            deployment["spec"]["replicas"] == 1,
            file,
            "{}",
            specimen.stack
        );
    }
}

//! Who is speaking: the resource that every span, metric and log record belongs to.
//!
//! <https://opentelemetry.io/docs/specs/semconv/resource/>. Process arguments are never part of it: they hold secrets.

use std::{
    env::consts,
    fs, process,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{KeyValue, Value};
use opentelemetry_resource_detectors::{ContainerResourceDetector, K8sResourceDetector};
use opentelemetry_sdk::{Resource, resource::ResourceDetector};
use opentelemetry_semantic_conventions::attribute;

use crate::{env::Env, guard::Service, runtime};

/// The conventions that all names are of, also those in `schema/`. The crate's own constant is an older one.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Later sources win: what the machine says, what the code says, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`.
pub(crate) fn detect(service: &Service<'_>, env: &mut Env) -> Resource {
    let code = [
        KeyValue::new(attribute::SERVICE_NAME, service.name.to_owned()),
        KeyValue::new(attribute::SERVICE_VERSION, service.version.to_owned()),
        KeyValue::new(
            attribute::SERVICE_INSTANCE_ID,
            uuid::Uuid::new_v4().to_string(),
        ),
        KeyValue::new(
            attribute::DEPLOYMENT_ENVIRONMENT_NAME,
            service.environment.to_owned(),
        ),
        KeyValue::new(attribute::OS_TYPE, os_type()),
        KeyValue::new(attribute::HOST_ARCH, host_arch()),
        // What `process.*` metrics are of.
        KeyValue::new(attribute::PROCESS_PID, i64::from(process::id())),
        KeyValue::new(
            attribute::PROCESS_CREATION_TIME,
            iso_8601(runtime::created()),
        ),
    ];
    let mut builder = Resource::builder_empty()
        .with_detector(Box::new(
            opentelemetry_sdk::resource::TelemetryResourceDetector,
        ))
        .with_detector(Box::new(ContainerResourceDetector))
        .with_attributes(os_release())
        .with_attributes(host_name().map(|name| KeyValue::new(attribute::HOST_NAME, name)))
        .with_attributes(command().map(|name| KeyValue::new(attribute::PROCESS_COMMAND, name)));
    // Outside Kubernetes the detector would take any container's host name for a pod's.
    if env.get("KUBERNETES_SERVICE_HOST").is_some() {
        builder = builder.with_attributes(attributes_of(&K8sResourceDetector));
    }
    builder = builder
        .with_schema_url(code, SCHEMA_URL)
        .with_attributes(from_variable(env));
    if let Some(name) = env.get("OTEL_SERVICE_NAME") {
        builder = builder.with_service_name(name);
    }
    builder.build()
}

fn attributes_of(detector: &dyn ResourceDetector) -> Vec<KeyValue> {
    let resource = detector.detect();
    resource
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
        .collect()
}

/// `key1=value1,key2=value2`, values percent-encoded. An entry that is not of this form discards the whole variable, as
/// the specification asks: <https://opentelemetry.io/docs/specs/otel/resource/sdk/>.
fn from_variable(env: &mut Env) -> Vec<KeyValue> {
    let Some(text) = env.get("OTEL_RESOURCE_ATTRIBUTES") else {
        return Vec::new();
    };
    let pairs = text
        .split(',')
        .filter(|entry| !entry.trim().is_empty())
        .map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let value = percent_encoding::percent_decode_str(value.trim())
                .decode_utf8()
                .ok()?;
            let key = key.trim();
            (!key.is_empty())
                .then(|| KeyValue::new(key.to_owned(), Value::from(value.into_owned())))
        });
    pairs.collect::<Option<Vec<_>>>().unwrap_or_else(|| {
        env.warnings.push(
            "OTEL_RESOURCE_ATTRIBUTES is ignored: it must be key=value,key=value with percent-encoded values"
                .to_owned(),
        );
        Vec::new()
    })
}

/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/os/#os-type>
fn os_type() -> &'static str {
    match consts::OS {
        "macos" | "ios" => "darwin",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/host/#host-arch>
fn host_arch() -> &'static str {
    match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// Name, version and description of a Linux distribution, which says them itself: os-release(5).
fn os_release() -> Vec<KeyValue> {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let known = [
        ("NAME", attribute::OS_NAME),
        ("VERSION_ID", attribute::OS_VERSION),
        ("PRETTY_NAME", attribute::OS_DESCRIPTION),
    ];
    let lines = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let (_, attribute) = known.iter().find(|(known, _)| *known == name)?;
        Some(KeyValue::new(
            *attribute,
            value.trim_matches('"').to_owned(),
        ))
    });
    lines.collect()
}

fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What the process was started by, without its arguments.
fn command() -> Option<String> {
    let command = std::env::args_os().next()?;
    Some(command.to_string_lossy().into_owned())
}

/// `2026-11-25T20:45:30Z`.
fn iso_8601(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut days, second) = (since_epoch.as_secs() / 86400, since_epoch.as_secs() % 86400);
    let mut year = 1970;
    let mut month = 0;
    loop {
        let length = days_of(year, month);
        if days < length {
            break;
        }
        days -= length;
        month += 1;
        if month == 12 {
            (year, month) = (year + 1, 0);
        }
    }
    let (month, day) = (month + 1, days + 1);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Of a month from 0.
fn days_of(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 if is_leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry::Key;

    use super::*;

    fn resource(vars: &'static [(&'static str, &'static str)]) -> (Resource, Vec<String>) {
        let mut env = Env::new(move |name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        });
        let resource = detect(
            &Service {
                name: "code",
                version: "1.2.3",
                environment: "development",
            },
            &mut env,
        );
        (resource, env.warnings)
    }

    fn get(resource: &Resource, key: &'static str) -> Option<String> {
        resource.get(&Key::new(key)).map(|value| value.to_string())
    }

    #[test]
    fn names_what_it_must_and_no_arguments() {
        let (resource, _) = resource(&[]);
        assert_eq!(get(&resource, "service.name").as_deref(), Some("code"));
        assert_eq!(get(&resource, "service.version").as_deref(), Some("1.2.3"));
        assert_eq!(
            get(&resource, "telemetry.sdk.language").as_deref(),
            Some("rust")
        );
        assert_eq!(
            get(&resource, "deployment.environment.name").as_deref(),
            Some("development")
        );
        assert!(get(&resource, "service.instance.id").is_some_and(|id| id.len() == 36));
        for absent in [
            "process.command_args",
            "process.command_line",
            "k8s.pod.name",
        ] {
            assert_eq!(get(&resource, absent), None, "{absent}");
        }
    }

    #[test]
    fn names_the_process_that_its_metrics_are_of() {
        let (resource, _) = resource(&[]);
        let pid = process::id().to_string();
        assert_eq!(get(&resource, "process.pid"), Some(pid));
        let now = SystemTime::now();
        let created = get(&resource, "process.creation.time").expect("a time");
        assert!(created <= iso_8601(now), "{created}");
        let ten_minutes_ago = iso_8601(now - Duration::from_secs(600));
        assert!(created > ten_minutes_ago, "{created}");
    }

    #[test]
    fn times_are_written_by_iso_8601() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_764_103_530, "2025-11-25T20:45:30Z"),
            (1_798_761_600, "2027-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(iso_8601(time), text);
        }
    }

    #[test]
    fn the_conventions_are_those_that_the_registry_depends_on() {
        let manifest = include_str!("../schema/manifest.yaml");
        assert!(manifest.contains(&format!("schema_url: {SCHEMA_URL}\n")));
        assert_eq!(resource(&[]).0.schema_url(), Some(SCHEMA_URL));
    }

    #[test]
    fn the_environment_wins_over_the_code() {
        let (named, _) = resource(&[(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=attributes,team=a%2Cb",
        )]);
        assert_eq!(get(&named, "service.name").as_deref(), Some("attributes"));
        assert_eq!(get(&named, "team").as_deref(), Some("a,b"));

        let (named, _) = resource(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=attributes"),
            ("OTEL_SERVICE_NAME", "variable"),
        ]);
        assert_eq!(get(&named, "service.name").as_deref(), Some("variable"));
    }

    #[test]
    fn a_malformed_list_is_ignored_whole_and_said_so() {
        let (resource, warnings) = resource(&[("OTEL_RESOURCE_ATTRIBUTES", "team=a,nonsense")]);
        assert_eq!(get(&resource, "team"), None);
        assert_eq!(warnings.len(), 1);
    }
}

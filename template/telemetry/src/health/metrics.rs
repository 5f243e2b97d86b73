//! `otel.sdk.*`: <https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/>. Read off the accounts when metrics are
//! collected, and only then.

use std::sync::Arc;

use opentelemetry::{
    KeyValue, global,
    metrics::{AsyncInstrument, Meter},
};
use opentelemetry_semantic_conventions::{attribute, metric};

use super::{Account, Health};
use crate::{
    env::Env,
    settings::{Protocol, Settings},
    transport::endpoint,
};

/// The words of one signal.
struct Words {
    signal: &'static str,
    /// As components are called after it.
    kind: &'static str,
    unit: &'static str,
    processed: &'static str,
    exported: &'static str,
}

const SPANS: Words = Words {
    signal: "traces",
    kind: "span",
    unit: "{span}",
    processed: metric::OTEL_SDK_PROCESSOR_SPAN_PROCESSED,
    exported: metric::OTEL_SDK_EXPORTER_SPAN_EXPORTED,
};

const LOGS: Words = Words {
    signal: "logs",
    kind: "log",
    unit: "{log_record}",
    processed: metric::OTEL_SDK_PROCESSOR_LOG_PROCESSED,
    exported: metric::OTEL_SDK_EXPORTER_LOG_EXPORTED,
};

/// Registers what is observed of the signals that leave by OTLP, at the global meter provider.
pub(crate) fn observe(health: &Arc<Health>, settings: &Settings, env: &Env) {
    let meter = global::meter("telemetry.health");
    for (words, signal) in [(SPANS, settings.traces), (LOGS, settings.logs)] {
        if let Some(protocol) = signal.otlp {
            words.observe(&meter, health, protocol, env);
        }
    }
}

impl Words {
    fn observe(&self, meter: &Meter, health: &Arc<Health>, protocol: Protocol, env: &Env) {
        let processor = component(format!("batching_{}_processor", self.kind));
        let processed = move |account: &Account, observer: &dyn AsyncInstrument<u64>| {
            observer.observe(account.processed(), &processor);
            let refused = with_error(&processor, "queue_full");
            observer.observe(account.refused(), &refused);
        };
        let description = "What the processor is done with, well or not.";
        self.counter(meter, self.processed, description, health, processed);

        let transport = match protocol {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http",
        };
        let mut exporter = component(format!("otlp_{transport}_{}_exporter", self.kind));
        exporter.extend(server(&endpoint(
            env,
            &self.signal.to_uppercase(),
            protocol,
        )));
        let exported = move |account: &Account, observer: &dyn AsyncInstrument<u64>| {
            observer.observe(account.well_exported(), &exporter);
            for (failure, count) in account.failures() {
                observer.observe(count, &with_error(&exporter, failure.error_type()));
            }
        };
        let description = "What the exporter is done with, well or not.";
        self.counter(meter, self.exported, description, health, exported);
    }

    fn counter(
        &self,
        meter: &Meter,
        name: &'static str,
        description: &'static str,
        health: &Arc<Health>,
        read: impl Fn(&Account, &dyn AsyncInstrument<u64>) + Send + Sync + 'static,
    ) {
        let (health, signal) = (health.clone(), self.signal);
        meter
            .u64_observable_counter(name)
            .with_unit(self.unit)
            .with_description(description)
            .with_callback(move |observer| {
                if let Some(account) = health.account(signal) {
                    read(account, observer);
                }
            })
            .build();
    }
}

/// There is one of each kind.
fn component(kind: String) -> Vec<KeyValue> {
    vec![
        KeyValue::new(attribute::OTEL_COMPONENT_NAME, format!("{kind}/0")),
        KeyValue::new(attribute::OTEL_COMPONENT_TYPE, kind),
    ]
}

fn server(endpoint: &str) -> Vec<KeyValue> {
    let Ok(uri) = endpoint.parse::<http::Uri>() else {
        return Vec::new();
    };
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = i64::from(uri.port_u16().unwrap_or(default));
    let address = uri
        .host()
        .map(|host| KeyValue::new(attribute::SERVER_ADDRESS, host.to_owned()));
    let port = address
        .is_some()
        .then(|| KeyValue::new(attribute::SERVER_PORT, port));
    address.into_iter().chain(port).collect()
}

fn with_error(component: &[KeyValue], error: &'static str) -> Vec<KeyValue> {
    let mut all = component.to_vec();
    all.push(KeyValue::new(attribute::ERROR_TYPE, error));
    all
}

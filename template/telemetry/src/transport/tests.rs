use std::future;

use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogExporter, SdkLoggerProvider},
};

use super::*;
use crate::{guard, page::Page, pipeline::Pipeline, settings::Settings};

fn env(vars: &[(&'static str, &str)]) -> Env {
    let vars: Vec<_> = vars
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Env::new(move |name| {
        let found = vars.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    })
}

/// Which signals have exporters, and what was warned about.
fn built(vars: &[(&'static str, &str)]) -> ([bool; 3], Vec<String>) {
    guard::choose_crypto();
    let mut env = env(vars);
    let settings = Settings::read(&mut env);
    let resource = Resource::builder_empty().build();
    let pipeline = Pipeline::build(&settings, &resource, &Page::closed(), &mut env);
    let pipeline = pipeline.expect("threads");
    let signals = [
        pipeline.traces().is_some(),
        pipeline.metrics().is_some(),
        pipeline.logger().is_some(),
    ];
    (signals, env.warnings)
}

#[test]
fn a_file_that_cannot_be_used_costs_its_signals_and_one_warning() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4317");
    for protocol in ["grpc", "http/protobuf"] {
        let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        for (name, file, what) in [
            (
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "no/such.pem",
                "cannot be read: ",
            ),
            (
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                "no/such.pem",
                "cannot be read: ",
            ),
            (
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                manifest,
                "holds no certificate in PEM",
            ),
            (
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                manifest,
                "needs OTEL_EXPORTER_OTLP_CLIENT_KEY too",
            ),
            (
                "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                manifest,
                "needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE too",
            ),
        ] {
            let (signals, warnings) = built(&[https, protocol, (name, file)]);
            assert_eq!(signals, [false; 3], "{name}={file}");
            let [warning] = &*warnings else {
                panic!("{warnings:?}");
            };
            let start = format!(
                "traces, metrics, logs are not exported: invalid exporter configuration: {name}={file:?} {what}"
            );
            assert!(warning.starts_with(&start), "{warning}");
        }
    }
}

#[test]
fn a_signals_own_file_is_its_own() {
    let (signals, warnings) = built(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4317"),
        ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "no/such.pem"),
    ]);
    assert_eq!(signals, [true, false, true]);
    assert!(
        warnings[0].starts_with("metrics are not exported: "),
        "{warnings:?}"
    );
}

#[test]
fn plain_text_needs_no_certificate() {
    let (signals, warnings) = built(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "no/such.pem"),
    ]);
    assert_eq!((signals, warnings), ([true; 3], vec![]));
}

#[test]
fn what_the_exporters_pass_over_is_said() {
    let (signals, warnings) = built(&[
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "alpha"),
    ]);
    assert_eq!(signals, [true; 3]);
    assert_eq!(
        warnings,
        [
            r#"OTEL_EXPORTER_OTLP_COMPRESSION="zip" is not understood and ignored; allowed: gzip, none"#,
            r#"OTEL_EXPORTER_OTLP_TIMEOUT="10s" is not understood and ignored; allowed: milliseconds as a whole number"#,
            r#"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="alpha" is not understood and ignored; allowed: cumulative, delta, lowmemory"#,
        ]
    );
}

/// `OTEL_BLRP_EXPORT_TIMEOUT` and its like, which the SDK's processors on threads do not know.
#[test]
fn an_export_that_takes_too_long_is_given_up_without_a_reactor() {
    #[derive(Debug)]
    struct Never;
    impl LogExporter for Never {
        fn export(&self, _: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
            future::pending()
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    let transport = Transport {
        runtime: runtime.handle().clone(),
        health: Health::of("test".to_owned()),
    };
    let limit = Some(Duration::from_millis(1));
    let never = transport.exporter("logs", limit, &mut env(&[]), |_, _| Ok(Never));
    let provider = SdkLoggerProvider::builder()
        .with_batch_exporter(never.expect("built"))
        .build();
    let logger = provider.logger("test");
    logger.emit(logger.create_log_record());
    let error = provider.force_flush().expect_err("given up");
    assert!(format!("{error:?}").contains("Timeout(1ms)"), "{error:?}");
}

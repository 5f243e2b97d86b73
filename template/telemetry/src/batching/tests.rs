use std::{
    future::{Future, ready},
    sync::mpsc,
    time::Duration,
};

use opentelemetry::{
    logs::{LogRecord as _, Logger as _, LoggerProvider as _},
    trace::{Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{BatchLogProcessor, LogBatch, LogExporter, SdkLoggerProvider},
    trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};

use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

fn env(vars: &'static [(&'static str, &'static str)]) -> Env {
    Env::new(move |name| {
        let found = vars.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// Tells the size of each batch.
#[derive(Debug)]
struct Sizes(mpsc::Sender<usize>);

impl SpanExporter for Sizes {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let _ = self.0.send(batch.len());
        ready(Ok(()))
    }
}

impl LogExporter for Sizes {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        let _ = self.0.send(batch.iter().count());
        ready(Ok(()))
    }
}

fn spans(env: &mut Env) -> (SdkTracerProvider, mpsc::Receiver<usize>) {
    let (sizes, batches) = mpsc::channel();
    let processor = BatchSpanProcessor::builder(Sizes(sizes));
    let processor = processor.with_batch_config(Batching::of_spans(env).spans());
    let provider = SdkTracerProvider::builder().with_span_processor(processor.build());
    (provider.build(), batches)
}

#[test]
fn the_defaults_are_those_of_the_specification() {
    let mut env = env(&[]);
    let batching = Batching {
        delay: Duration::from_secs(5),
        queue: 2048,
        batch: 512,
        timeout: Some(TIMEOUT),
    };
    assert_eq!(Batching::of_spans(&mut env), batching);
    let delay = Duration::from_secs(1);
    assert_eq!(Batching::of_logs(&mut env), Batching { delay, ..batching });
    let reading = Reading {
        interval: Duration::from_secs(60),
        timeout: Some(TIMEOUT),
    };
    assert_eq!(Reading::of_metrics(&mut env), reading);
}

#[test]
fn each_variable_is_read_and_a_bad_one_said() {
    let mut env = env(&[
        ("OTEL_BLRP_SCHEDULE_DELAY", "7"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "512"),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "125"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
    ]);
    let batching = Batching {
        delay: Duration::from_millis(7),
        queue: 100,
        batch: 100,
        timeout: None,
    };
    assert_eq!(Batching::of_logs(&mut env), batching);
    let reading = Reading {
        interval: Duration::from_millis(250),
        timeout: Some(Duration::from_millis(125)),
    };
    assert_eq!(Reading::of_metrics(&mut env), reading);
    assert_eq!(env.warnings, [""; 0]);

    let spans = Batching::of_spans(&mut env);
    assert_eq!((spans.queue, spans.delay), (2048, Duration::from_secs(5)));
    assert_eq!(
        env.warnings,
        [
            r#"OTEL_BSP_MAX_QUEUE_SIZE="0" is not understood and ignored; allowed: a whole number, 1 or more"#,
            r#"OTEL_BSP_SCHEDULE_DELAY="5s" is not understood and ignored; allowed: milliseconds as a whole number"#,
        ]
    );
}

#[test]
fn no_batch_is_larger_than_allowed() {
    let (provider, batches) = spans(&mut env(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")]));
    for _ in 0..5 {
        provider.tracer("test").start("span");
    }
    provider.shutdown().expect("flushed");
    let sizes: Vec<usize> = batches.iter().collect();
    assert_eq!(sizes.iter().sum::<usize>(), 5);
    assert!(sizes.iter().all(|size| *size <= 2), "{sizes:?}");
}

/// By default nothing would leave for a second, or five.
#[test]
fn a_short_delay_sends_without_being_asked() {
    let (provider, batches) = spans(&mut env(&[("OTEL_BSP_SCHEDULE_DELAY", "1")]));
    provider.tracer("test").start("span");
    assert_eq!(batches.recv_timeout(PATIENCE), Ok(1));

    let (sizes, batches) = mpsc::channel();
    let batching = Batching::of_logs(&mut env(&[("OTEL_BLRP_SCHEDULE_DELAY", "1")]));
    let processor = BatchLogProcessor::builder(Sizes(sizes)).with_batch_config(batching.logs());
    let provider = SdkLoggerProvider::builder().with_log_processor(processor.build());
    let provider = provider.build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    record.set_body("line".into());
    logger.emit(record);
    assert_eq!(batches.recv_timeout(PATIENCE), Ok(1));
}

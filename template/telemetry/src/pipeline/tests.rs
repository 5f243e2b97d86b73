use std::net::TcpListener;

use opentelemetry::{
    logs::{LogRecord as _, Logger as _, LoggerProvider as _},
    metrics::MeterProvider as _,
    trace::Tracer as _,
};

use super::*;
use crate::guard;

/// A pipeline that exports to `endpoint`.
fn built(endpoint: String) -> Pipeline {
    guard::choose_crypto();
    let mut env =
        Env::new(move |name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
    let settings = Settings::read(&mut env);
    let resource = Resource::builder_empty().build();
    Pipeline::build(&settings, &resource, &Page::closed(), &mut env).expect("threads")
}

fn record(pipeline: &Pipeline) {
    let traces = pipeline.traces().expect("exported");
    traces.tracer("test").start("span");
    let metrics = pipeline.metrics().expect("exported");
    metrics
        .meter("test")
        .u64_counter("count")
        .build()
        .add(1, &[]);
    let logger = pipeline.logger().expect("exported").logger("test");
    let mut line = logger.create_log_record();
    line.set_body("line".into());
    logger.emit(line);
}

/// One thread for everything, as `#[tokio::main(flavor = "current_thread")]` has it.
#[tokio::test(flavor = "current_thread")]
async fn a_single_threaded_service_begins_records_and_ends() {
    // Connections are accepted by the system, and then nothing happens.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let pipeline = built(format!("http://{}", silent.local_addr().expect("bound")));
    record(&pipeline);
    let begun = Instant::now();
    pipeline.shutdown(Duration::from_millis(50));
    // Generous: an export has ten seconds where nobody ends it.
    assert!(begun.elapsed() < Duration::from_secs(5));
    let spans = pipeline.health().account("traces").expect("counted");
    assert_eq!(spans.sum().as_deref(), Some("1 of 1 spans (1 unsent)"));
}

#[tokio::test]
async fn use_after_the_end_and_a_second_end_are_harmless() {
    let pipeline = built("http://127.0.0.1:1".to_owned());
    pipeline.shutdown(Duration::ZERO);
    record(&pipeline);
    pipeline.shutdown(Duration::ZERO);
}

/// A runtime that is dropped waits for its threads, and within another runtime it panics instead.
#[tokio::test]
async fn a_pipeline_that_is_not_used_can_be_dropped_anywhere() {
    drop(built("http://127.0.0.1:1".to_owned()));
}

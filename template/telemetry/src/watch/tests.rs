use std::{
    future::ready,
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use opentelemetry::trace::{SpanBuilder, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::{env::Env, guard, queue::Queue, side_by_side::SideBySide, transport::Transport};

pub(crate) fn exporting() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads")
}

pub(crate) fn transport(runtime: &tokio::runtime::Runtime) -> Transport {
    Transport {
        runtime: runtime.handle().clone(),
        health: Health::of("test".to_owned()),
    }
}

/// Spans of a tracer whose exporter is `exporter`, in a queue of `capacity`.
pub(crate) fn provider<E: SpanExporter + 'static>(
    exporter: E,
    transport: &Transport,
    capacity: usize,
) -> SdkTracerProvider {
    let mut env = Env::new(|_| None);
    let watched = transport.exporter("traces", None, &mut env, |_, _| Ok(exporter));
    let config = opentelemetry_sdk::trace::BatchConfigBuilder::default()
        .with_max_queue_size(capacity)
        .with_max_export_batch_size(1);
    let exporter = SideBySide::new(watched.expect("built"));
    let under_way = exporter.under_way();
    let processor = BatchSpanProcessor::builder(exporter);
    let queue = Queue {
        processor: processor.with_batch_config(config.build()).build(),
        signal: "traces",
        capacity: capacity as u64,
        health: transport.health.clone(),
        under_way,
    };
    let provider = SdkTracerProvider::builder().with_span_processor(queue);
    provider.build()
}

pub(crate) fn sum(transport: &Transport) -> Option<String> {
    transport.health.account("traces").expect("counted").sum()
}

#[test]
fn an_exporter_that_panics_does_not_take_the_thread_of_its_processor_along() {
    #[derive(Debug)]
    struct Once(AtomicBool);
    impl SpanExporter for Once {
        fn export(&self, _: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
            assert!(self.0.swap(true, Ordering::SeqCst), "a planted bug");
            ready(Ok(()))
        }
    }
    let runtime = exporting();
    let transport = transport(&runtime);
    let provider = provider(Once(AtomicBool::new(false)), &transport, 8);
    for _ in 0..3 {
        provider.tracer("test").start("span");
        let _ = provider.force_flush();
    }
    assert_eq!(sum(&transport).as_deref(), Some("1 of 3 spans (1 panic)"));
}

#[test]
fn what_finds_the_queue_full_is_counted() {
    /// Waits until the other end is gone.
    #[derive(Debug)]
    struct Waits(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);
    impl SpanExporter for Waits {
        fn export(&self, _: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
            let wait = self.0.lock().expect("no panic");
            let _ = wait.recv();
            ready(Ok(()))
        }
    }
    let runtime = exporting();
    let transport = transport(&runtime);
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let provider = provider(Waits(std::sync::Mutex::new(wait)), &transport, 2);
    for _ in 0..100 {
        provider.tracer("test").start("span");
    }
    drop(go_on);
    provider.shutdown().expect("flushed");
    let text = sum(&transport).expect("lost");
    // Two waited in the queue, one for an export to end, and four were with the exporter, as far as it was quick.
    assert!(
        (93..=98).any(|lost| text == format!("{lost} of 100 spans ({lost} queue_full)")),
        "{text}"
    );
}

#[test]
fn what_the_collector_rejects_is_counted() {
    /// An `ExportTraceServiceResponse`: `partial_success { rejected_spans: 2, error_message: "full" }`.
    const PARTIAL: &[u8] = b"\x0a\x08\x08\x02\x12\x04full";
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", collector.local_addr().expect("bound"));
    let answering = thread::spawn(move || {
        let (mut stream, _) = collector.accept().expect("a client");
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\nconnection: close\r\n";
        let head = format!("{head}content-length: {}\r\n\r\n", PARTIAL.len());
        // The request is small: its end comes with the first bytes of it, or soon after.
        let mut request = [0; 65536];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(&[head.as_bytes(), PARTIAL].concat());
        let _ = stream.read(&mut request);
    });

    guard::choose_crypto();
    let runtime = exporting();
    let transport = transport(&runtime);
    let mut env = Env::new(|_| None);
    let exporter = transport.exporter("traces", None, &mut env, |to, _| {
        opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint.clone())
            .with_http_client(to.http()?)
            .build()
    });
    let exporter = exporter.expect("built");
    let spans = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    for _ in 0..3 {
        provider
            .tracer("test")
            .build(SpanBuilder::from_name("span"));
    }
    let batch = spans.get_finished_spans().expect("kept");
    let account = transport.health.account("traces").expect("counted");
    assert!(batch.iter().all(|_| account.admit(3)));

    let heard = tracing_subscriber::registry().with(rejected::layer());
    exporter.taken(batch.len());
    tracing::subscriber::with_default(heard, || runtime.block_on(exporter.export_spans(batch)))
        .expect("taken");
    answering.join().expect("answered");
    let text = sum(&transport);
    assert_eq!(text.as_deref(), Some("2 of 3 spans (2 rejected)"));
}

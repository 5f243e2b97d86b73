use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::{sync::Semaphore, time};

use super::*;
use crate::watch::tests::{exporting, provider, sum, transport};

#[test]
fn an_export_does_not_wait_for_the_answer_to_the_one_before() {
    /// Says that an export has begun, and ends it when it may.
    #[derive(Debug)]
    struct Held {
        begun: mpsc::Sender<String>,
        may_end: Arc<Semaphore>,
        under_way: AtomicUsize,
        most: Arc<AtomicUsize>,
    }
    impl SpanExporter for Held {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(under_way, Ordering::SeqCst);
            let name = batch[0].name.clone().into_owned();
            self.begun.send(name).expect("heard");
            let may_end = self.may_end.acquire().await;
            may_end.expect("never closed").forget();
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    }
    let runtime = exporting();
    let transport = transport(&runtime);
    let (begin, begun) = mpsc::channel();
    let may_end = Arc::new(Semaphore::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let held = Held {
        begun: begin,
        may_end: may_end.clone(),
        under_way: AtomicUsize::new(0),
        most: most.clone(),
    };
    let provider = provider(held, &transport, 16);
    let tracer = provider.tracer("test");
    for name in ["a", "b", "c", "d"] {
        tracer.start(name);
        let begun = begun.recv_timeout(Duration::from_secs(60));
        assert_eq!(begun.as_deref(), Ok(name));
    }
    for _ in 0..8 {
        tracer.start("another");
    }
    may_end.add_permits(12);
    provider.shutdown().expect("all end");
    assert_eq!(most.load(Ordering::SeqCst), MOST);
    assert_eq!(sum(&transport), None);
}

#[test]
fn a_flush_and_the_end_wait_for_what_is_under_way() {
    #[derive(Debug)]
    struct Slow;
    impl SpanExporter for Slow {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            time::sleep(Duration::from_millis(100)).await;
            Ok(())
        }
    }
    let runtime = exporting();
    let transport = transport(&runtime);
    let provider = provider(Slow, &transport, 16);
    let tracer = provider.tracer("test");
    for end in [SdkTracerProvider::force_flush, SdkTracerProvider::shutdown] {
        for _ in 0..3 {
            tracer.start("span");
        }
        end(&provider).expect("all end");
        assert_eq!(sum(&transport), None);
    }
}

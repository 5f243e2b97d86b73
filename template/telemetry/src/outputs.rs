//! Where spans go when they have ended: to each of several processors.
//!
//! The SDK copies each span for each of its processors, the last one too. Behind one processor of its, only what goes to
//! several places is copied.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

#[derive(Debug)]
pub(crate) struct Outputs(pub(crate) Vec<Box<dyn SpanProcessor>>);

impl Outputs {
    /// Asks all of them, whatever one says, and returns the first error.
    fn all(&self, ask: impl Fn(&dyn SpanProcessor) -> OTelSdkResult) -> OTelSdkResult {
        let answers = self.0.iter().map(|output| ask(output.as_ref()));
        answers.fold(Ok(()), Result::and)
    }
}

impl SpanProcessor for Outputs {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        for output in &self.0 {
            output.on_start(span, parent);
        }
    }
    fn on_end(&self, span: SpanData) {
        let Some((last, others)) = self.0.split_last() else {
            return;
        };
        for output in others {
            output.on_end(span.clone());
        }
        last.on_end(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.all(|output| output.force_flush())
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.all(|output| output.shutdown_with_timeout(timeout))
    }
    fn set_resource(&mut self, resource: &Resource) {
        for output in &mut self.0 {
            output.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SimpleSpanProcessor};

    use super::*;

    #[test]
    fn each_output_gets_each_span_once() {
        let exporters = [(); 3].map(|()| InMemorySpanExporter::default());
        let outputs = exporters.iter().map(|exporter| {
            let output: Box<dyn SpanProcessor> =
                Box::new(SimpleSpanProcessor::new(exporter.clone()));
            output
        });
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Outputs(outputs.collect()))
            .build();
        drop(provider.tracer("test").start("span"));
        for exporter in exporters {
            let spans = exporter.get_finished_spans().expect("the exporter works");
            assert_eq!(spans.len(), 1);
        }
    }
}

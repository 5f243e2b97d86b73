//! `init` and the guard it returns: the one place where telemetry begins and ends.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_sdk::trace::Tracer;
use tokio::sync::oneshot;
use tracing_subscriber::{fmt::writer::BoxMakeWriter, util::SubscriberInitExt as _};

use crate::{
    env::Env, exception, health, marks::Rule, page::Page, pipeline::Pipeline, propagation,
    resource, runtime, settings::Settings, subscriber, variables,
};

/// What the service says of itself. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over it.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// `service.name`, usually `env!("CARGO_PKG_NAME")`.
    pub name: &'a str,
    /// `service.version`, usually `env!("CARGO_PKG_VERSION")`.
    pub version: &'a str,
    /// `deployment.environment.name`, such as `production`.
    pub environment: &'a str,
}

/// Why telemetry could not begin. A bad setting is never a reason: it is warned about and its default is used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// Another `tracing` subscriber is installed: two cannot be.
    #[error(
        "a tracing subscriber is already installed; telemetry::init must be the one to install it"
    )]
    SubscriberInstalled,
    /// The operating system gave no thread for the exporters.
    #[error("cannot start the exporters' runtime")]
    Runtime(#[from] std::io::Error),
}

/// How long `shutdown` may take in all, whatever the collector does.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(2);

static PIPELINE: OnceLock<Arc<Pipeline>> = OnceLock::new();

/// Whether spans and metrics are recorded at all, so that disabled instrumentation can step aside at once.
pub(crate) fn enabled() -> bool {
    PIPELINE.get().is_some_and(|pipeline| pipeline.records())
}

/// The SDK's own tracer for the instrumentation here: what the global one makes is boxed, once more than need be. None
/// where no spans are made.
pub(crate) fn tracer(scope: &'static str) -> Option<Tracer> {
    let traces = PIPELINE.get()?.traces()?;
    Some(traces.tracer(scope))
}

/// Begins telemetry: providers, exporters, propagators, the `tracing` subscriber and the panic hook.
///
/// A second call changes nothing: it warns and returns a guard that does not end the pipeline of the first.
///
/// # Errors
/// When another subscriber is installed, or the exporters' thread cannot be started.
pub fn init(service: Service<'_>) -> Result<Telemetry, InitError> {
    if PIPELINE.get().is_some() {
        tracing::warn!("telemetry::init was called again; the first pipeline stays");
        return Ok(Telemetry { pipeline: None });
    }
    choose_crypto();
    let mut env = Env::from_process();
    let settings = Settings::read(&mut env);
    variables::warn_of_unsupported(&mut env);
    let resource = resource::detect(&service, &mut env);
    let page = if settings.enabled {
        Page::open(service.environment, Rule::read(&mut env), &mut env)
    } else {
        Page::closed()
    };
    let pipeline = Arc::new(Pipeline::build(&settings, &resource, &page, &mut env)?);
    start(
        pipeline.clone(),
        &settings,
        BoxMakeWriter::new(std::io::stdout),
    )?;
    runtime::observe();
    health::observe(pipeline.health(), &settings, &env);
    exception::install_panic_hook();
    for warning in env.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Telemetry {
        pipeline: Some(pipeline),
    })
}

/// One crypto library for every TLS client of the process, the service's own included. An error means that one was
/// chosen before us, which is as good.
pub(crate) fn choose_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Makes `pipeline` the process's: global providers, propagators, and the subscriber with its log lines on `console`.
pub(crate) fn start(
    pipeline: Arc<Pipeline>,
    settings: &Settings,
    console: BoxMakeWriter,
) -> Result<(), InitError> {
    subscriber::of(&pipeline, settings, console)
        .try_init()
        .map_err(|_| InitError::SubscriberInstalled)?;

    if let Some(traces) = pipeline.traces() {
        global::set_tracer_provider(traces.clone());
    }
    if let Some(metrics) = pipeline.metrics() {
        global::set_meter_provider(metrics.clone());
    }
    // When telemetry is off, too: what callers sent passes through.
    global::set_text_map_propagator(propagation::of(&settings.propagators));
    settings.inbound.apply();
    exception::use_signal(settings.exceptions);
    PIPELINE.get_or_init(|| pipeline);
    Ok(())
}

/// Keeps telemetry going. Hold it in `main` and call [`Telemetry::shutdown`] once the server has drained; dropping it
/// does the same, blocking.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    pipeline: Option<Arc<Pipeline>>,
}

impl Telemetry {
    /// Where telemetry goes, for the line a service prints at start: `traces → console, metrics → off, …`.
    #[must_use]
    pub fn destinations(&self) -> String {
        PIPELINE
            .get()
            .map_or_else(|| "off".to_owned(), |pipeline| pipeline.destinations())
    }

    /// Sends what is left of all three signals, side by side, and ends them. Takes two seconds at most, whatever the
    /// collector does; what could not be sent by then is lost and said so.
    pub async fn shutdown(mut self) {
        let Some(pipeline) = self.pipeline.take() else {
            return;
        };
        // The exporters wait with blocked threads: not on a worker of the service's runtime
        // (https://github.com/open-telemetry/opentelemetry-rust/issues/3176), nor on one of its threads for blocking
        // work, all of which may be taken.
        let (done, flushed) = oneshot::channel();
        let flush = move || {
            pipeline.shutdown(SHUTDOWN_DEADLINE);
            done.send(())
        };
        let thread = thread::Builder::new().name("otlp-end".to_owned());
        if thread.spawn(flush).is_err() || flushed.await.is_err() {
            tracing::warn!("telemetry did not shut down cleanly");
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(pipeline) = self.pipeline.take() {
            pipeline.shutdown(SHUTDOWN_DEADLINE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trace;

    #[tokio::test]
    async fn a_second_init_changes_nothing() {
        let trace = Trace::new(); // telemetry has begun
        let again = init(Service {
            name: "another",
            version: "2",
            environment: "test",
        });
        drop(again.expect("harmless"));

        let entered = trace.context().attach();
        crate::traced_blocking("work", [], || ());
        drop(entered);
        assert_eq!(trace.tree().await, "INTERNAL work\n");
    }
}

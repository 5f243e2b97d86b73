//! A variant at work, what it sends to and what it calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::echo::Echo;
use super::sink::Sink;
use super::{Variant, build};
use crate::root;
use crate::servers::{self, Fresh};
use crate::service::{Ended, Service};
use crate::stacks::Stack;

/// Nothing here is late by itself, but within valgrind all of it is slow.
const PATIENCE: [(&str, &str); 5] = [
    ("DATABASE_TIMEOUT", "300s"),
    ("REQUEST_TIMEOUT", "300s"),
    ("UPSTREAM_TIMEOUT", "300s"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "300000"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "300000"),
];
/// Long enough for what is in the queues, and for valgrind.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// What is needed to start each variant.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) stack: Stack,
    /// Python, with what its variants import.
    pub(super) interpreter: Option<PathBuf>,
}

pub(super) struct Running {
    pub(super) service: Service,
    pub(super) sink: Sink,
    _upstream: Echo,
    _stores: Option<Fresh>,
}

impl Running {
    /// `wrap` goes before the program.
    pub(super) async fn start(
        programs: &Programs,
        variant: Variant,
        wrap: &[String],
    ) -> Result<Self> {
        let (sink, upstream) = (Sink::start().await?, Echo::start().await?);
        let mut env: BTreeMap<String, String> = BTreeMap::from([
            ("PORT".to_owned(), "0".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), sink.endpoint()),
            ("OTEL_SERVICE_NAME".to_owned(), "bench".to_owned()),
            ("UPSTREAM_URL".to_owned(), upstream.url()),
        ]);
        let settings = PATIENCE.iter().chain(variant.settings());
        env.extend(settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut stores = None;
        if variant.is_service() {
            let stack = programs.stack.clone();
            // Their clients wait with blocked threads.
            stores = tokio::task::spawn_blocking(move || servers::database(&stack)).await??;
            env.extend(stores.as_ref().map(Fresh::environment).unwrap_or_default());
        }
        let mut wrap = wrap.to_vec();
        let binary = match build::binary(variant) {
            Some(binary) => binary,
            None => {
                let interpreter = programs.interpreter.as_deref().context("no Python")?;
                wrap.push(interpreter.display().to_string());
                root().join("ci/bench/python/main.py")
            }
        };
        let service = Service::start_within(&wrap, &binary, &env)
            .await
            .with_context(|| variant.to_string())?;
        Ok(Self {
            service,
            sink,
            _upstream: upstream,
            _stores: stores,
        })
    }

    /// Stops it; says how many spans came in all, and how it ended.
    pub(super) async fn stop(self) -> Result<(usize, Ended)> {
        self.service.terminate()?;
        let ended = self.service.ended(STOP_DEADLINE).await?;
        Ok((self.sink.spans(), ended))
    }
}

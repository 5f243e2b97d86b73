//! One operation on Redis: its span and its duration.

use std::{net::IpAddr, sync::Arc, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    metrics::Meter,
    trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _},
};
use opentelemetry_sdk::trace::{Span, Tracer};
use opentelemetry_semantic_conventions::{
    attribute::{
        DB_NAMESPACE, DB_SYSTEM_NAME, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, SERVER_ADDRESS,
        SERVER_PORT,
    },
    metric::DB_CLIENT_OPERATION_DURATION,
};
use redis::{ConnectionAddr, ConnectionInfo};

use super::{
    failure::Failure,
    kind::{Kind, Kinds},
};
use crate::sampler::may_record_below;

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/db/database-metrics/>.
const BOUNDARIES: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Starts the operations of one connection.
#[derive(Debug)]
pub(super) struct Operations {
    /// None where no spans are made.
    tracer: Option<Tracer>,
    pub(super) kinds: Kinds,
}

impl Operations {
    pub(super) fn new(tracer: Option<Tracer>, meter: &Meter, info: &ConnectionInfo) -> Self {
        let duration = meter
            .f64_histogram(DB_CLIENT_OPERATION_DURATION)
            .with_description("Duration of database client operations.")
            .with_unit("s")
            .with_boundaries(BOUNDARIES.to_vec())
            .build();
        Self {
            tracer,
            kinds: Kinds::new(common(info), duration),
        }
    }

    /// Starts an operation below the current span. All attributes are there from the start, for samplers.
    pub(super) fn start(&self, kind: Arc<Kind>) -> Operation {
        let tracer = self.tracer.as_ref();
        let tracer = tracer.filter(|_| Context::map_current(may_record_below));
        let span = tracer.map(|tracer| {
            let count = kind.attributes.len() + kind.of_span.len();
            let mut attributes = Vec::with_capacity(count + 1); // the session comes with the start
            attributes.extend_from_slice(&kind.attributes);
            attributes.extend_from_slice(&kind.of_span);
            tracer.build(SpanBuilder {
                name: kind.name.clone(),
                span_kind: Some(SpanKind::Client),
                attributes: Some(attributes),
                ..SpanBuilder::default()
            })
        });
        Operation {
            span,
            started: Instant::now(),
            kind,
            failure: None,
        }
    }
}

pub(super) fn common(info: &ConnectionInfo) -> Vec<KeyValue> {
    let text = |value: &str| Arc::<str>::from(value);
    let mut common = vec![
        KeyValue::new(DB_SYSTEM_NAME, "redis"),
        KeyValue::new(DB_NAMESPACE, text(&info.redis_settings().db().to_string())),
    ];
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            let port = i64::from(*port);
            common.push(KeyValue::new(SERVER_ADDRESS, text(host)));
            common.push(KeyValue::new(SERVER_PORT, port));
            // redis-rs does not tell which of a name's addresses it reached.
            if host.parse::<IpAddr>().is_ok() {
                common.push(KeyValue::new(NETWORK_PEER_ADDRESS, text(host)));
                common.push(KeyValue::new(NETWORK_PEER_PORT, port));
            }
        }
        ConnectionAddr::Unix(path) => {
            let path = text(&path.to_string_lossy());
            common.push(KeyValue::new(SERVER_ADDRESS, path.clone()));
            common.push(KeyValue::new(NETWORK_PEER_ADDRESS, path));
        }
        _ => {}
    }
    common
}

/// An operation in flight. It ends when it is dropped, hence once and always: when it was answered, when it failed, and
/// when its future was abandoned, which is no error.
#[derive(Debug)]
pub(super) struct Operation {
    /// None where it could not be recorded: nothing is below it that would have to know.
    span: Option<Span>,
    started: Instant,
    kind: Arc<Kind>,
    failure: Option<Failure>,
}

impl Operation {
    pub(super) fn answered(&mut self, failure: Option<Failure>) {
        if let (Some(failure), Some(span)) = (&failure, &mut self.span) {
            span.set_attributes(failure.attributes());
            span.set_status(Status::error(failure.description()));
        }
        self.failure = failure;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        match &self.failure {
            None => self.kind.duration.record(seconds),
            Some(failure) => {
                let mut attributes = self.kind.attributes.clone();
                attributes.extend(failure.attributes());
                self.kind.failures.record(seconds, &attributes);
            }
        }
        if let Some(span) = &mut self.span {
            span.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        let info = url.parse::<ConnectionInfo>().expect("a URL");
        let shown = common(&info)
            .iter()
            .map(|attribute| format!("{}={}", attribute.key, attribute.value))
            .collect::<Vec<_>>();
        shown.join(" ")
    }

    #[test]
    fn the_server_is_told_without_credentials() {
        assert_eq!(
            shown("redis://user:s3cr3t@cache.example.com/7"),
            "db.system.name=redis db.namespace=7 server.address=cache.example.com server.port=6379"
        );
        assert_eq!(
            shown("redis://:s3cr3t@[::1]:7000"),
            "db.system.name=redis db.namespace=0 server.address=::1 server.port=7000 \
             network.peer.address=::1 network.peer.port=7000"
        );
        assert_eq!(
            shown("redis+unix:///run/redis.sock?pass=s3cr3t&db=2"),
            "db.system.name=redis db.namespace=2 server.address=/run/redis.sock \
             network.peer.address=/run/redis.sock"
        );
    }
}

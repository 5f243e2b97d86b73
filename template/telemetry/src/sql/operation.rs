//! One database operation: its span, its duration and how many rows it returned.

use std::{borrow::Cow, sync::Arc, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    metrics::Meter,
    trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _},
};
use opentelemetry_sdk::trace::{Span, Tracer};
use opentelemetry_semantic_conventions::{
    attribute::{DB_NAMESPACE, DB_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT},
    metric::{DB_CLIENT_OPERATION_DURATION, DB_CLIENT_RESPONSE_RETURNED_ROWS},
};

use super::{
    Endpoint, backend,
    failure::Failure,
    statement::{Statement, Statements},
};
use crate::{names, sampler::may_record_below};

/// Of durations, in seconds: <https://opentelemetry.io/docs/specs/semconv/db/database-metrics/>.
pub(super) const BOUNDARIES: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Of rows, by the same page.
const ROW_BOUNDARIES: [f64; 13] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0,
];

/// Starts the operations of one pool.
#[derive(Debug)]
pub(super) struct Operations {
    /// None where no spans are made.
    tracer: Option<Tracer>,
    statements: Statements,
}

impl Operations {
    pub(super) fn new(tracer: Option<Tracer>, meter: &Meter, endpoint: Endpoint) -> Self {
        let duration = meter
            .f64_histogram(DB_CLIENT_OPERATION_DURATION)
            .with_description("Duration of database client operations.")
            .with_unit("s")
            .with_boundaries(BOUNDARIES.to_vec())
            .build();
        let returned_rows = meter
            .u64_histogram(DB_CLIENT_RESPONSE_RETURNED_ROWS)
            .with_description("The actual number of records returned by the database operation.")
            .with_unit("{row}")
            .with_boundaries(ROW_BOUNDARIES.to_vec())
            .build();
        let mut common = vec![KeyValue::new(DB_SYSTEM_NAME, backend::SYSTEM)];
        let fallback = endpoint.namespace.clone();
        let fallback = fallback.map_or(Cow::Borrowed(backend::SYSTEM), names::kept);
        common.extend(
            endpoint
                .namespace
                .map(|name| KeyValue::new(DB_NAMESPACE, Arc::<str>::from(name))),
        );
        common.extend(
            endpoint
                .address
                .map(|host| KeyValue::new(SERVER_ADDRESS, Arc::<str>::from(host))),
        );
        common.extend(
            endpoint
                .port
                .map(|port| KeyValue::new(SERVER_PORT, i64::from(port))),
        );
        Self {
            tracer,
            statements: Statements::new(common, fallback, duration, returned_rows),
        }
    }

    /// Starts an operation below the span of `parent`. All attributes are there from the start, for samplers.
    pub(super) fn start(&self, sql: &str, binds: bool, parent: &Context) -> Operation {
        let statement = self.statements.get(sql);
        let tracer = self.tracer.as_ref();
        let span = tracer.filter(|_| may_record_below(parent)).map(|tracer| {
            let mut attributes = Vec::with_capacity(statement.attributes.len() + 2); // the session comes with the start
            attributes.extend_from_slice(&statement.attributes);
            attributes.push(statement.text(binds));
            let builder = SpanBuilder {
                name: statement.name.clone(),
                span_kind: Some(SpanKind::Client),
                attributes: Some(attributes),
                ..SpanBuilder::default()
            };
            tracer.build_with_context(builder, parent)
        });
        Operation {
            span,
            started: Instant::now(),
            statement,
            failure: Vec::new(),
            rows: 0,
        }
    }
}

/// An operation in flight. It ends when it is dropped, hence once and always: when its last row was read, when it failed,
/// and when its future or stream was abandoned, which is no error.
#[derive(Debug)]
pub(super) struct Operation {
    /// None where it could not be recorded: nothing is below it that would have to know.
    span: Option<Span>,
    started: Instant,
    statement: Arc<Statement>,
    failure: Vec<KeyValue>,
    rows: u64,
}

impl Operation {
    pub(super) fn returned_row(&mut self) {
        self.rows += 1;
    }

    /// Notes what a query for one row has come to, and passes it on.
    pub(super) fn ended<R>(
        &mut self,
        row: Result<Option<R>, sqlx::Error>,
    ) -> Result<Option<R>, sqlx::Error> {
        match &row {
            Ok(Some(_)) => self.returned_row(),
            Ok(None) => {}
            Err(error) => self.fail(error),
        }
        row
    }

    pub(super) fn fail(&mut self, error: &sqlx::Error) {
        if let Some(failure) = Failure::of(error) {
            if let Some(span) = &mut self.span {
                span.set_attributes(failure.attributes.iter().cloned());
                span.set_status(Status::error(failure.description));
            }
            self.failure = failure.attributes;
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.failure.is_empty() {
            self.statement.duration.record(seconds);
            self.statement.returned_rows.record(self.rows);
        } else {
            self.failure.extend_from_slice(&self.statement.attributes);
            self.statement.failures.record(seconds, &self.failure);
        }
        if let Some(span) = &mut self.span {
            span.end();
        }
    }
}

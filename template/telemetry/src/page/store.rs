//! The last traces, in bounds: so many, and so many bytes.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{Context, InstrumentationScope, TraceId, trace::Span as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord},
    trace::{Span, SpanData, SpanProcessor},
};
use serde_json::Value;

use super::json;

pub(super) const MAX_TRACES: usize = 200;
/// Spans and log records of one trace.
pub(super) const MAX_RECORDS: usize = 2000;
pub(super) const MAX_TRACE_BYTES: usize = 2 << 20;
pub(super) const MAX_BYTES: usize = 16 << 20;

/// Clones share the traces.
#[derive(Debug, Clone, Default)]
pub(super) struct Store(Arc<Mutex<Traces>>);

#[derive(Debug, Default)]
pub(super) struct Traces {
    /// The oldest first.
    pub(super) kept: VecDeque<Kept>,
    bytes: usize,
    /// Grows with each change.
    pub(super) version: u64,
}

/// One trace.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) id: TraceId,
    /// Spans that have begun and not ended.
    pub(super) running: usize,
    pub(super) spans: Vec<SpanData>,
    pub(super) logs: Vec<Value>,
    /// Spans and log records that were too much.
    pub(super) dropped: usize,
    bytes: usize,
}

impl Store {
    pub(super) fn read<T>(&self, read: impl FnOnce(&Traces) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, id: TraceId, begins: bool, change: impl FnOnce(&mut Kept) -> usize) {
        let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What comes last of a trace that made room for others must not bring it back.
        let known = traces.kept.iter().rposition(|kept| kept.id == id);
        let place = match known {
            Some(place) => place,
            None if begins => {
                traces.kept.push_back(Kept::new(id));
                traces.kept.len() - 1
            }
            None => return,
        };
        let added = change(&mut traces.kept[place]);
        traces.bytes += added;
        traces.version += 1;
        while traces.kept.len() > MAX_TRACES || traces.bytes > MAX_BYTES {
            let oldest = traces.kept.pop_front().map_or(0, |kept| kept.bytes);
            traces.bytes = traces.bytes.saturating_sub(oldest);
        }
    }
}

impl Kept {
    fn new(id: TraceId) -> Self {
        Self {
            id,
            running: 0,
            spans: Vec::new(),
            logs: Vec::new(),
            dropped: 0,
            bytes: 0,
        }
    }

    /// Whether there is room for a record of `bytes`, which then is taken.
    fn takes(&mut self, bytes: usize) -> bool {
        let takes = self.spans.len() + self.logs.len() < MAX_RECORDS
            && self.bytes + bytes <= MAX_TRACE_BYTES;
        if takes {
            self.bytes += bytes;
        } else {
            self.dropped += 1;
        }
        takes
    }
}

impl SpanProcessor for Store {
    fn on_start(&self, span: &mut Span, _: &Context) {
        self.change(span.span_context().trace_id(), true, |kept| {
            kept.running += 1;
            0
        });
    }

    fn on_end(&self, span: SpanData) {
        let bytes = mem::size_of::<SpanData>() + json::span(&span).to_string().len();
        self.change(span.span_context.trace_id(), false, |kept| {
            kept.running = kept.running.saturating_sub(1);
            if !kept.takes(bytes) {
                return 0;
            }
            kept.spans.push(span);
            bytes
        });
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl LogProcessor for Store {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        // What belongs to no trace stands in the terminal.
        let Some(context) = record.trace_context().cloned() else {
            return;
        };
        let log = json::log(record, context.span_id);
        let bytes = log.to_string().len();
        self.change(context.trace_id, false, |kept| {
            if !kept.takes(bytes) {
                return 0;
            }
            kept.logs.push(log);
            bytes
        });
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

//! What an OTLP receiver got, as a flat model: every span, metric stream and log record carries its scope and resource.

mod decode;
#[cfg(test)]
pub mod samples;
pub mod tree;
mod value;

pub use decode::{decode_logs, decode_metrics, decode_traces};
pub use value::Value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Attributes of a signal, sorted by key.
pub type Attributes = BTreeMap<String, Value>;

/// A trace id as 32 lower-case hex digits.
pub type TraceId = String;

/// A span id as 16 lower-case hex digits.
pub type SpanId = String;

/// What all signals of one service instance share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    pub attributes: Attributes,
    pub schema_url: String,
}

/// The instrumentation that made a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    pub name: String,
    pub version: String,
    pub schema_url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Unspecified => "UNSPECIFIED",
            Kind::Internal => "INTERNAL",
            Kind::Server => "SERVER",
            Kind::Client => "CLIENT",
            Kind::Producer => "PRODUCER",
            Kind::Consumer => "CONSUMER",
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Unset,
    Ok,
    /// With its description, empty when there is none.
    Error(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub time: u64,
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub attributes: Attributes,
}

/// Times are Unix nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent: Option<SpanId>,
    pub trace_state: String,
    pub flags: u32,
    pub kind: Kind,
    pub name: String,
    pub start: u64,
    pub end: u64,
    pub attributes: Attributes,
    /// Keys that were sent more than once, which OTLP forbids.
    pub duplicate_keys: Vec<String>,
    pub dropped: u32,
    pub status: Status,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    pub scope: Arc<Scope>,
    pub resource: Arc<Resource>,
}

impl Span {
    pub fn string(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).and_then(Value::as_str)
    }

    /// The service's name, empty when the resource has none.
    pub fn service(&self) -> &str {
        let name = self.resource.attributes.get("service.name");
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the parent is in another process (flags bits 8 and 9 of the OTLP span).
    pub fn has_remote_parent(&self) -> bool {
        self.flags & 0x300 == 0x300
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instrument {
    Counter,
    UpDownCounter,
    Gauge,
    Histogram,
    /// Exponential histograms and summaries, which no convention asks for.
    Other,
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Instrument::Counter => "counter",
            Instrument::UpDownCounter => "updowncounter",
            Instrument::Gauge => "gauge",
            Instrument::Histogram => "histogram",
            Instrument::Other => "other",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    Unspecified,
    Delta,
    Cumulative,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    Number(f64),
    Histogram {
        count: u64,
        sum: f64,
        bounds: Vec<f64>,
        buckets: Vec<u64>,
    },
}

/// One data point of one metric stream, at one export.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    pub name: String,
    pub description: String,
    pub unit: String,
    pub instrument: Instrument,
    pub temporality: Temporality,
    pub attributes: Attributes,
    pub time: u64,
    pub measure: Measure,
    pub scope: Arc<Scope>,
    pub resource: Arc<Resource>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    pub time: u64,
    pub observed: u64,
    /// 1 to 24, see the logs data model; 0 when unset.
    pub severity: i32,
    pub severity_text: String,
    /// Empty when the record is not an event.
    pub event_name: String,
    pub body: Value,
    pub attributes: Attributes,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub scope: Arc<Scope>,
    pub resource: Arc<Resource>,
}

//! How much one span or log record may carry: <https://opentelemetry.io/docs/specs/otel/common/#attribute-limits>.
//!
//! The SDK counts the attributes, events and links of a span. It has no limit for the length of a value, and none at all
//! for log records: both are here, in processors that wrap those that export.

mod logs;
mod spans;

use opentelemetry_sdk::trace::SpanLimits;

pub(crate) use self::{logs::LimitedLogs, spans::LimitedSpans};
use crate::env::Env;

/// What the specification allows where nobody says anything.
const DEFAULT_COUNT: u32 = 128;

/// What the variables say. Lengths are in characters, and without a limit by default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) spans: SpanLimits,
    pub(crate) span_value_length: Option<usize>,
    pub(crate) log_attributes: usize,
    pub(crate) log_value_length: Option<usize>,
}

impl Limits {
    pub(crate) fn read(env: &mut Env) -> Self {
        // What is said of one kind of record wins over what is said of all.
        let count = env.number("OTEL_ATTRIBUTE_COUNT_LIMIT", 0..);
        let length = env.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0..);
        let mut length_of = |name: &str| {
            let limit = env.number(name, 0..).or(length);
            limit.and_then(|limit| usize::try_from(limit).ok())
        };
        let span_value_length = length_of("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let log_value_length = length_of("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let mut count_of = |name: &str, general: Option<u32>| {
            env.number(name, 0..).or(general).unwrap_or(DEFAULT_COUNT)
        };
        let log_attributes = count_of("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count);
        Self {
            spans: SpanLimits {
                max_attributes_per_span: count_of("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count),
                max_events_per_span: count_of("OTEL_SPAN_EVENT_COUNT_LIMIT", None),
                max_links_per_span: count_of("OTEL_SPAN_LINK_COUNT_LIMIT", None),
                max_attributes_per_event: count_of("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", None),
                max_attributes_per_link: count_of("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", None),
            },
            span_value_length,
            log_attributes: usize::try_from(log_attributes).unwrap_or(usize::MAX),
            log_value_length,
        }
    }
}

/// The first `limit` characters of `text`, if it has more.
fn cut(text: &str, limit: usize) -> Option<String> {
    // No character takes less than a byte, so most text need not be counted.
    if text.len() <= limit {
        return None;
    }
    let (end, _) = text.char_indices().nth(limit)?;
    Some(text[..end].to_owned())
}

#[cfg(test)]
mod tests;

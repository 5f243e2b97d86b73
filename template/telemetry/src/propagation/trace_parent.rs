//! The `traceparent` header: <https://www.w3.org/TR/trace-context-2/#traceparent-header>.

use std::{
    fmt::{self, Display, Formatter},
    ops::Range,
};

use opentelemetry::{
    SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceState},
};

use super::trim;

pub(super) const TRACEPARENT: &str = "traceparent";

/// At least the last seven bytes of the trace's id are random. The SDK has no name for it.
pub(super) const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// Of version 00, and of what is understood of a later one.
pub(super) const LENGTH: usize = 55;

/// A place in a trace: `00-<trace id>-<span id>-<flags>`, also the value of `traceresponse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(super) trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

impl TraceParent {
    /// What the headers of a request say. More than one say nothing.
    pub(super) fn parse(headers: &[&str]) -> Option<Self> {
        let [header] = headers else { return None };
        let (known, rest) = trim(header).as_bytes().split_first_chunk::<LENGTH>()?;
        if [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let number = |range: Range<usize>| hexadecimal(&known[range]);
        let (version, trace_id, span_id, flags) = (
            number(0..2)?,
            number(3..35)?,
            number(36..52)?,
            number(53..55)?,
        );
        // A later version may have more fields, of which nothing is assumed; one that ends here has a last digit here.
        let is_whole = rest.is_empty() || (version > 0 && rest.starts_with(b"-"));
        if version == 0xff || trace_id == 0 || span_id == 0 || !is_whole {
            return None;
        }
        Some(Self {
            trace_id: TraceId::from(trace_id),
            span_id: SpanId::from(u64::try_from(span_id).ok()?),
            flags: known_flags(TraceFlags::new(u8::try_from(flags).ok()?)),
        })
    }

    /// That of a span.
    pub(crate) fn of(span: &SpanContext) -> Self {
        Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            flags: known_flags(span.trace_flags()),
        }
    }

    pub(super) fn is_random(self) -> bool {
        self.flags & RANDOM == RANDOM
    }

    pub(super) fn random(self, is_random: bool) -> Self {
        let flags = if is_random {
            self.flags | RANDOM
        } else {
            self.flags & !RANDOM
        };
        Self { flags, ..self }
    }

    /// The header's value, no longer than it must be, so that it becomes the header as it is.
    pub(super) fn header(self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap_or_default()
    }

    /// The span that it names, in another process.
    pub(super) fn span(self, state: TraceState) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, state)
    }

    /// As it is written.
    pub(super) fn bytes(self) -> [u8; LENGTH] {
        let mut bytes = *b"00-TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT-SSSSSSSSSSSSSSSS-FF";
        digits(&self.trace_id.to_bytes(), &mut bytes[3..35]);
        digits(&self.span_id.to_bytes(), &mut bytes[36..52]);
        digits(&[self.flags.to_u8()], &mut bytes[53..]);
        bytes
    }
}

impl Display for TraceParent {
    fn fmt(&self, text: &mut Formatter<'_>) -> fmt::Result {
        text.write_str(str::from_utf8(&self.bytes()).unwrap_or_default())
    }
}

/// Each request and each call writes them, and `format!` takes ten times as long for it.
fn digits(bytes: &[u8], text: &mut [u8]) {
    let (pairs, _) = text.as_chunks_mut();
    for (byte, pair) in bytes.iter().zip(pairs) {
        *pair = PAIRS[usize::from(*byte)];
    }
}

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let (mut pairs, mut byte) = ([[0; 2]; 256], 0);
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    pairs
};

/// Flags that are not defined yet are sent as zero.
fn known_flags(flags: TraceFlags) -> TraceFlags {
    flags & (TraceFlags::SAMPLED | RANDOM)
}

/// A number, the letters of whose digits are lowercase.
fn hexadecimal(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    /// What is sent on for these headers, `T` and `S` standing for valid ids.
    fn round_trip(headers: &[&str]) -> Option<String> {
        let ids = |text: &str| text.replace('T', TRACE).replace('S', SPAN);
        let headers: Vec<_> = headers.iter().map(|header| ids(header)).collect();
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let parent = TraceParent::parse(&headers)?;
        assert_eq!(parent, TraceParent::of(&parent.span(TraceState::NONE)));
        Some(parent.to_string().replace(TRACE, "T").replace(SPAN, "S"))
    }

    #[test]
    fn what_is_valid_continues_the_trace() {
        for (header, sent_on) in [
            ("00-T-S-00", "00-T-S-00"),
            ("00-T-S-01", "00-T-S-01"),
            ("00-T-S-02", "00-T-S-02"),
            ("00-T-S-03", "00-T-S-03"),
            // Flags that nobody knows yet.
            ("00-T-S-04", "00-T-S-00"),
            ("00-T-S-ff", "00-T-S-03"),
            // Later versions, sent on as ours.
            ("01-T-S-01", "00-T-S-01"),
            ("cc-T-S-00", "00-T-S-00"),
            ("fe-T-S-09", "00-T-S-01"),
            ("cc-T-S-01-what-comes-later", "00-T-S-01"),
            ("cc-T-S-01-", "00-T-S-01"),
            ("cc-T-S-01-\u{e9}", "00-T-S-01"),
            // Whitespace of HTTP.
            (" 00-T-S-01", "00-T-S-01"),
            ("\t 00-T-S-01 \t", "00-T-S-01"),
        ] {
            assert_eq!(
                round_trip(&[header]).as_deref(),
                Some(sent_on),
                "{header:?}"
            );
        }
    }

    #[test]
    fn what_is_not_valid_begins_a_new_trace() {
        let upper = TRACE.to_uppercase();
        let too_many_bytes = "é".repeat(28);
        for header in [
            "",
            " ",
            "00",
            "00-T",
            "00-T-S",
            "00-T-S-",
            "T-S-01",
            // The version.
            "ff-T-S-01",
            "0-T-S-01",
            "000-T-S-01",
            "0000-T-S-01",
            ".0-T-S-01",
            "0.-T-S-01",
            "+0-T-S-01",
            "Cc-T-S-01",
            "00_T-S-01",
            // Version 00 has no more to say.
            "00-T-S-01-",
            "00-T-S-01.",
            "00-T-S-01-what-comes-later",
            // Later versions begin it with a dash.
            "cc-T-S-01.what-comes-later",
            "cc-T-S-010",
            "cc-T-S-0",
            // The trace's id.
            "00-00000000000000000000000000000000-S-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-S-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47361-S-01",
            "00-.bf92f3577b34da6a3ce929d0e0e4736-S-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473.-S-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-S-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-S-01",
            &format!("00-{upper}-S-01"),
            // The span's id.
            "00-T-0000000000000000-01",
            "00-T-00f067aa0ba902b-01",
            "00-T-00f067aa0ba902b71-01",
            "00-T-.0f067aa0ba902b7-01",
            "00-T-00f067aa0ba902b.-01",
            "00-T-00F067AA0BA902B7-01",
            // The flags.
            "00-T-S-1",
            "00-T-S-001",
            "00-T-S-.0",
            "00-T-S-0.",
            "00-T-S-0A",
            "00-T-S-+1",
            // Other whitespace, and whitespace inside.
            "\u{a0}00-T-S-01",
            "\n00-T-S-01",
            "00-T-S-01\u{b}",
            "00- T-S-01",
            "00-T-S-01 -",
            // No text, and text whose letters are no bytes.
            "\u{fffd}",
            &too_many_bytes,
            // Two headers that something on the way has made one.
            "00-T-S-01,00-T-S-01",
            "00-T-S-01, 00-T-S-01",
            "cc-T-S-01,cc-T-S-01",
        ] {
            assert_eq!(round_trip(&[header]), None, "{header:?}");
        }
    }

    #[test]
    fn two_headers_are_as_good_as_none() {
        for headers in [
            &[][..],
            &["00-T-S-01", "00-T-S-01"],
            &["00-T-S-01", ""],
            &["\u{fffd}", "00-T-S-01"],
        ] {
            assert_eq!(round_trip(headers), None, "{headers:?}");
        }
    }
}

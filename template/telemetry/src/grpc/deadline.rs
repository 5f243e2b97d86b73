//! How long a call may take: the `grpc-timeout` header, and the deadline that calls made meanwhile inherit.
//! <https://grpc.io/docs/guides/deadlines/#deadline-propagation>

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use tokio::time::Instant;

const HEADER: &str = "grpc-timeout";
/// The protocol's limit: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>.
const MAX_DIGITS: usize = 8;
const MAX_VALUE: u128 = 99_999_999;

/// When the work at hand must be done: part of the context, so that it reaches whatever is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Instant);

/// The deadline of the work at hand.
pub(super) fn current() -> Option<Instant> {
    Context::map_current(|context| context.get::<Deadline>().map(|deadline| deadline.0))
}

/// The time that the caller allows. A header that is not understood allows any.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// Tells the callee what time is left, in the finest unit that eight digits can hold.
pub(super) fn write(headers: &mut HeaderMap, left: Duration) {
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (u128::from(left.as_secs()), 'S'),
        (u128::from(left.as_secs() / 60), 'M'),
    ];
    let fits = units.into_iter().find(|(value, _)| *value <= MAX_VALUE);
    let text = match fits {
        Some((value, unit)) => format!("{value}{unit}"),
        None => format!("{MAX_VALUE}H"),
    };
    headers.insert(
        HEADER,
        HeaderValue::try_from(text).expect("digits and a letter are a valid header"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Option<Duration> {
        read(&HeaderMap::from_iter([(
            http::HeaderName::from_static(HEADER),
            HeaderValue::from_str(text).expect("a header's text"),
        )]))
    }

    #[test]
    fn every_unit_is_read_and_nonsense_is_no_limit() {
        for (text, expected) in [
            ("2H", Duration::from_secs(7200)),
            ("2M", Duration::from_secs(120)),
            ("2S", Duration::from_secs(2)),
            ("2m", Duration::from_millis(2)),
            ("2u", Duration::from_micros(2)),
            ("2n", Duration::from_nanos(2)),
            ("0S", Duration::ZERO),
        ] {
            assert_eq!(reads(text), Some(expected), "{text}");
        }
        for text in ["", "S", "5", "5s", "-1S", "+1S", "123456789n", "1 S"] {
            assert_eq!(reads(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_never_longer() {
        for left in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(1500),
            Duration::from_secs(86_400),
            Duration::from_secs(86_400 * 365 * 100),
        ] {
            let mut headers = HeaderMap::new();
            write(&mut headers, left);
            let read = read(&headers).expect("our own header");
            assert!(read <= left && left - read < left / 1000 + Duration::from_micros(1));
        }
    }
}

//! How long a call may take: the `grpc-timeout` header, and the deadline that calls made meanwhile inherit.
//! <https://grpc.io/docs/guides/deadlines/#deadline-propagation>

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

pub(super) static HEADER: HeaderName = HeaderName::from_static("grpc-timeout");
/// The protocol's limit: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>.
const MAX_DIGITS: usize = 8;
const MAX_VALUE: u128 = 99_999_999;

/// When the work at hand must be done: part of the context, so that it reaches whatever is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Instant);

/// The deadline of work in this context.
pub(super) fn of(context: &Context) -> Option<Instant> {
    context.get::<Deadline>().map(|deadline| deadline.0)
}

/// The time that the caller allows. A header that is not understood allows any.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(&HEADER)?.to_str().ok()?;
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

/// What time is left, in the finest unit that eight digits can hold.
pub(super) fn header(left: Duration) -> HeaderValue {
    let units = [
        (left.as_nanos(), b'n'),
        (left.as_micros(), b'u'),
        (left.as_millis(), b'm'),
        (u128::from(left.as_secs()), b'S'),
        (u128::from(left.as_secs() / 60), b'M'),
    ];
    let fits = units.into_iter().find(|(value, _)| *value <= MAX_VALUE);
    let (value, unit) = fits.unwrap_or((MAX_VALUE, b'H'));
    let mut value = usize::try_from(value).unwrap_or_default();
    // Each call writes it, and `format!` takes several times as long.
    let (mut text, mut begin) = ([unit; MAX_DIGITS + 1], MAX_DIGITS);
    while begin == MAX_DIGITS || value > 0 {
        begin -= 1;
        text[begin] = b"0123456789"[value % 10];
        value /= 10;
    }
    HeaderValue::from_bytes(&text[begin..]).expect("digits and a letter are a valid header")
}

pin_project! {
    /// Ends work when its time is up.
    #[derive(Default)]
    pub(super) struct Timer {
        until: Option<Instant>,
        // None until the work has to be waited for: much of it never has.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Timer {
    pub(super) fn new(until: Option<Instant>) -> Self {
        Self { until, sleep: None }
    }

    /// Polls `work`; none if its time is up. If it is not, the task is woken then.
    pub(super) fn poll_unless_over<T>(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        work: impl FnOnce(&mut Task<'_>) -> Poll<T>,
    ) -> Option<Poll<T>> {
        let mut this = self.project();
        let Some(until) = *this.until else {
            return Some(work(task));
        };
        // By the clock first: the timer of the transport around this, which answers CANCELLED, may be due in the same
        // moment.
        if until <= Instant::now() {
            return None;
        }
        let polled = work(task);
        if polled.is_ready() {
            return Some(polled);
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(until)));
        }
        let sleep = this.sleep.as_pin_mut()?;
        sleep.poll(task).is_pending().then_some(polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Option<Duration> {
        read(&HeaderMap::from_iter([(
            HEADER.clone(),
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
            let headers = HeaderMap::from_iter([(HEADER.clone(), header(left))]);
            let read = read(&headers).expect("our own header");
            assert!(read <= left && left - read < left / 1000 + Duration::from_micros(1));
        }
    }
}

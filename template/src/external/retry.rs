//! When a call is made again. Only for requests that may be sent twice, such as GET.

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

use super::{CallError, Settings, client};

/// Before the second attempt, at most; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The attempts at one call. They share its deadline.
#[derive(Debug)]
pub(super) struct Attempts {
    failed: u32,
    limit: u32,
    deadline: Instant,
}

impl Attempts {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            failed: 0,
            limit: settings.attempts.get(),
            deadline: Instant::now() + settings.timeout,
        }
    }

    /// How many there were before the present one.
    pub(super) fn resend_count(&self) -> telemetry::http_client::ResendCount {
        telemetry::http_client::ResendCount(self.failed)
    }

    /// What is left until the deadline.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long to wait before the next attempt. `None` when there is none: it would fail again, or come too late.
    pub(super) fn wait_after(&mut self, error: &CallError) -> Option<Duration> {
        self.failed += 1;
        if self.failed >= self.limit || !is_transient(error) {
            return None;
        }
        let asked_for = match error {
            CallError::Status { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let wait = asked_for.saturating_add(backoff(self.failed));
        (wait < self.time_left()).then_some(wait)
    }
}

/// Whether the next moment may bring another answer. One that came too late used up the time for others.
fn is_transient(error: &CallError) -> bool {
    match error {
        CallError::Status { status, .. } => matches!(
            *status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        ),
        CallError::Unreachable(error) => client::is_transient(error),
        CallError::NotConfigured | CallError::Timeout(_) | CallError::TooLarge => false,
    }
}

/// Any time up to the doubled limit, so that callers who failed together do not come back together:
/// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>.
fn backoff(failed: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
    doubled.min(LONGEST_WAIT).mul_f64(fastrand::f64())
}

/// `Retry-After`, in seconds or as a date: <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(limit: u32) -> Attempts {
        Attempts {
            failed: 0,
            limit,
            deadline: Instant::now() + Duration::from_secs(60),
        }
    }

    fn status(status: u16, retry_after: Option<Duration>) -> CallError {
        let status = StatusCode::from_u16(status).expect("a status");
        CallError::Status {
            status,
            retry_after,
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for code in [429, 502, 503, 504] {
            assert!(attempts(2).wait_after(&status(code, None)).is_some());
        }
        for code in [400, 404, 408, 500, 501] {
            assert_eq!(attempts(2).wait_after(&status(code, None)), None);
        }
        assert_eq!(attempts(2).wait_after(&CallError::TooLarge), None);
    }

    #[test]
    fn attempts_are_limited() {
        let (mut attempts, busy) = (attempts(3), status(503, None));
        assert!(attempts.wait_after(&busy).is_some());
        assert!(attempts.wait_after(&busy).is_some());
        assert_eq!(attempts.wait_after(&busy), None);
    }

    #[test]
    fn the_upstream_says_when_but_the_deadline_counts() {
        let wait = |seconds| {
            let asked_for = Some(Duration::from_secs(seconds));
            attempts(2).wait_after(&status(503, asked_for))
        };
        assert!(wait(10).is_some_and(|wait| wait >= Duration::from_secs(10)));
        assert_eq!(wait(60), None);
    }

    #[test]
    fn the_wait_grows_and_ends_growing() {
        for (failed, limit) in [(1, FIRST_WAIT), (3, 4 * FIRST_WAIT), (99, LONGEST_WAIT)] {
            assert!((0..100).all(|_| backoff(failed) <= limit));
        }
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let of = |value: &str| {
            let value = value.parse().expect("a header");
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
        };
        assert_eq!(of("3"), Some(Duration::from_secs(3)));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(of(&soon).is_some_and(|wait| wait > Duration::from_secs(50)));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(of("soon"), None);
    }
}

//! Exports that failed and are made again: <https://opentelemetry.io/docs/specs/otlp/#failures>, as often and with such
//! pauses as `opentelemetry-otlp` does it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{self, Instant};

const RETRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why one attempt did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    /// For people; nothing that the collector said, since it can repeat credentials.
    pub(super) why: String,
    pub(super) again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    Soon,
    /// The collector has said when.
    In(Duration),
}

/// Makes attempts until one succeeds, there is no sense in another, or `limit` would have passed by then.
pub(super) async fn until<T, F>(
    limit: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let end = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    let mut left = RETRIES;
    loop {
        let failure = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        match failure.again {
            Again::Never => return Err(failure),
            Again::Soon => {}
            Again::In(asked) => pause = pause.max(asked.min(LONGEST_PAUSE)),
        }
        let next = Instant::now() + pause + jitter();
        if left == 0 || next >= end {
            return Err(failure);
        }
        time::sleep_until(next).await;
        left -= 1;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Up to a tenth of a second, so that services that failed together do not come back together.
fn jitter() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Duration::from_nanos(u64::from(now.unwrap_or_default().subsec_nanos()) / 10)
}

//! When a target may be pulled again. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// The first wait after a failure.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait that failures alone lead to.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Delays the next pull: by the configured interval, exponentially after failures, or by
/// `Retry-After`.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    not_before: Option<Instant>,
    failures: u32,
}

impl Backoff {
    /// Whether a pull may start.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| now >= time)
    }

    /// Time until a pull may start.
    pub fn wait(&self, now: Instant) -> Duration {
        self.not_before
            .map_or(Duration::ZERO, |time| time.saturating_duration_since(now))
    }

    /// A pull has succeeded; the next one waits for `interval`.
    pub fn succeeded(&mut self, now: Instant, interval: Duration) {
        self.failures = 0;
        self.not_before = Some(now + interval);
    }

    /// A pull has failed. The next one waits longer each time, so that an outage sees fewer
    /// requests.
    pub fn failed(&mut self, now: Instant, interval: Duration, retry_after: Option<Duration>) {
        let doubled = FIRST_BACKOFF.saturating_mul(1 << self.failures.min(5));
        // `Retry-After: 0` does not switch the backoff off.
        let asked = retry_after.filter(|wait| !wait.is_zero());
        let backoff = asked.unwrap_or(doubled.min(MAX_BACKOFF));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + backoff.max(interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_doubles_the_delay() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert!(backoff.is_ready(now));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            backoff.failed(now, Duration::ZERO, None);
            assert!(!backoff.is_ready(now + Duration::from_millis(seconds * 1000 - 1)));
            assert!(backoff.is_ready(now + Duration::from_secs(seconds)));
        }
        backoff.failed(now, Duration::ZERO, Some(Duration::from_secs(300)));
        assert!(!backoff.is_ready(now + Duration::from_secs(299)));
        assert!(backoff.is_ready(now + Duration::from_secs(300)));
        backoff.failed(now, Duration::ZERO, Some(Duration::ZERO));
        assert!(!backoff.is_ready(now + Duration::from_secs(29)));
        backoff.succeeded(now, Duration::from_secs(15));
        assert!(!backoff.is_ready(now + Duration::from_secs(14)));
        assert!(backoff.is_ready(now + Duration::from_secs(15)));
        backoff.failed(now, Duration::from_secs(15), None);
        assert!(
            !backoff.is_ready(now + Duration::from_secs(14)),
            "the interval holds as well"
        );
    }
}

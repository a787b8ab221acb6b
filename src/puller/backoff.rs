//! How long to wait after failures. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::UnixSeconds;

/// Waits after failures in a row: the first one, doubled with each further failure, up to a longest
/// one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delays {
    pub first: UnixSeconds,
    pub longest: UnixSeconds,
}

impl Delays {
    /// Seconds to wait after `failures + 1` failures.
    pub(super) fn after(self, failures: u32) -> UnixSeconds {
        let doubled = self.first.saturating_mul(1 << failures.min(16));
        doubled.min(self.longest)
    }

    /// Whether a time is further away than any wait: a clock that was ahead scheduled it.
    pub(super) fn is_beyond(self, time: UnixSeconds, now: UnixSeconds) -> bool {
        time > now.saturating_add(self.longest)
    }
}

/// Delays requests: by an interval, exponentially after failures, or by `Retry-After`.
#[derive(Clone, Debug)]
pub struct Backoff {
    delays: Delays,
    not_before: Option<Instant>,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    pub(super) const fn new(delays: Delays) -> Self {
        Self {
            delays,
            not_before: None,
            failures: 0,
        }
    }

    /// Whether a request may be sent.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| now >= time)
    }

    /// Whether the last request has failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Time until a request may be sent.
    pub fn wait(&self, now: Instant) -> Duration {
        self.not_before
            .map_or(Duration::ZERO, |time| time.saturating_duration_since(now))
    }

    /// A request has succeeded; the next one waits for `interval`.
    pub fn succeeded(&mut self, now: Instant, interval: Duration) {
        self.failures = 0;
        self.not_before = Some(now + interval);
    }

    /// A request has failed. The next one waits longer each time, so that an outage sees fewer of them.
    pub fn failed(&mut self, now: Instant, interval: Duration, retry_after: Option<Duration>) {
        let doubled = Duration::from_secs(self.delays.after(self.failures).into());
        // `Retry-After: 0` does not switch the backoff off.
        let asked = retry_after.filter(|wait| !wait.is_zero());
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + asked.unwrap_or(doubled).max(interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_doubles_the_delay() {
        let now = Instant::now();
        let mut backoff = Backoff::new(Delays {
            first: 1,
            longest: 30,
        });
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

//! The rate limit of the web configuration: a token bucket for all clients together.

use tokio::time::Instant;

use crate::config::web::RateLimit;

/// A bucket that is refilled over time; each request takes a token.
#[derive(Default, Debug)]
pub(super) struct TokenBucket {
    /// Tokens at a time; `None`, which is full, before the first request.
    level: Option<(f64, Instant)>,
}

impl TokenBucket {
    /// Takes a token at `now`, if there is one. The limit may change between calls.
    pub(super) fn take(&mut self, limit: RateLimit, now: Instant) -> bool {
        let full = f64::from(limit.burst);
        let tokens = match self.level {
            None => full,
            Some((tokens, since)) => {
                let elapsed = now.saturating_duration_since(since).as_secs_f64();
                (tokens + elapsed / limit.interval.as_secs_f64()).min(full)
            }
        };
        let taken = tokens >= 1.0;
        self.level = Some((if taken { tokens - 1.0 } else { tokens }, now));
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMIT: RateLimit = RateLimit {
        interval: Duration::from_secs(2),
        burst: 3,
    };

    /// How many requests in a row are let through.
    fn drain(bucket: &mut TokenBucket, limit: RateLimit, now: Instant) -> usize {
        (0..100).filter(|_| bucket.take(limit, now)).count()
    }

    #[test]
    fn a_burst_then_one_an_interval() {
        let (mut bucket, start) = (TokenBucket::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(drain(&mut bucket, LIMIT, start), 3);
        assert_eq!(drain(&mut bucket, LIMIT, after(1900)), 0);
        assert_eq!(drain(&mut bucket, LIMIT, after(2100)), 1);
        assert_eq!(drain(&mut bucket, LIMIT, after(4100)), 1);
        assert_eq!(
            drain(&mut bucket, LIMIT, after(3_600_000)),
            3,
            "no more than fit"
        );
    }

    #[test]
    fn a_changed_limit_holds_at_once() {
        let (mut bucket, start) = (TokenBucket::default(), Instant::now());
        assert!(bucket.take(LIMIT, start));
        let one = RateLimit { burst: 1, ..LIMIT };
        assert_eq!(drain(&mut bucket, one, start), 1);
        let fast = RateLimit {
            interval: Duration::from_millis(1),
            burst: 50,
        };
        assert_eq!(drain(&mut bucket, fast, start + Duration::from_secs(1)), 50);
    }
}

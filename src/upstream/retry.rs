//! Decides whether and when to retry a request. Pure: no clock, no waiting.

use std::fmt;
use std::time::{Duration, SystemTime};

/// How a request ended. `Display` gives the label `code` of the request counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Status(u16),
    Timeout,
    /// No connection, or it broke before a status arrived.
    Connect,
    /// A success whose body was cut off, is too large or cannot be parsed.
    Body,
    /// A success with an error in the body.
    Envelope,
}

impl Outcome {
    /// Outcomes to expect of the vendor and its gateway, exported at 0 from the start.
    pub const FORESEEABLE: [Self; 14] = [
        Self::Status(200),
        Self::Status(400),
        Self::Status(401),
        Self::Status(403),
        Self::Status(404),
        Self::Status(429),
        Self::Status(500),
        Self::Status(502),
        Self::Status(503),
        Self::Status(504),
        Self::Timeout,
        Self::Connect,
        Self::Body,
        Self::Envelope,
    ];

    fn is_temporary(self) -> bool {
        match self {
            Self::Timeout | Self::Connect | Self::Body => true,
            Self::Status(status) => status == 429 || (500..600).contains(&status),
            Self::Envelope => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Connect => f.write_str("connect"),
            Self::Body => f.write_str("body"),
            Self::Envelope => f.write_str("envelope"),
        }
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    After(Duration),
    No,
}

/// Retries per request. Pulls repeat anyway, so more would only add load.
pub const MAX_RETRIES: u32 = 2;
/// The client waits for a `Retry-After` up to this; a longer one is passed on to the puller.
pub const MAX_WAIT: Duration = Duration::from_secs(5);
/// Longer values of `Retry-After` are reduced to this.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// Wait after a 429 without `Retry-After`: the rate limits seen count per second.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(1);

/// Decides after a failed request that has been retried `retries` times. `jitter` is a random
/// number from 0 to 1, `has_budget` the value of [`Budget::is_left`].
///
/// Waits for `retry_after` plus a random share of a backoff that grows fourfold from 200 ms to 2 s.
/// The jitter keeps requests that failed together from being repeated together.
pub fn decide(
    outcome: Outcome,
    retries: u32,
    retry_after: Option<Duration>,
    jitter: f64,
    has_budget: bool,
) -> Retry {
    let requested = match outcome {
        Outcome::Status(429) => retry_after.unwrap_or(RATE_LIMIT_WAIT),
        _ => retry_after.unwrap_or_default(),
    };
    if !outcome.is_temporary() || retries >= MAX_RETRIES || !has_budget || requested > MAX_WAIT {
        return Retry::No;
    }
    let backoff = FIRST_BACKOFF
        .saturating_mul(4_u32.saturating_pow(retries))
        .min(MAX_BACKOFF);
    let share = if jitter.is_nan() {
        1.0
    } else {
        jitter.clamp(0.0, 1.0)
    };
    Retry::After(requested + backoff.mul_f64(share))
}

/// Limits retries to a share of the requests, so that an outage reduces the load on the vendor.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Tenths of a retry, as integers do not drift.
    tenths: u32,
}

impl Budget {
    const PER_REQUEST: u32 = 1;
    const PER_RETRY: u32 = 10;
    const RESERVE: u32 = 10 * Self::PER_RETRY;

    /// Starts at the maximum of ten retries.
    pub fn new() -> Self {
        Self {
            tenths: Self::RESERVE,
        }
    }

    /// Adds a tenth of a retry, for a request that is not a retry.
    pub fn earn(&mut self) {
        self.tenths = (self.tenths + Self::PER_REQUEST).min(Self::RESERVE);
    }

    pub fn is_left(&self) -> bool {
        self.tenths >= Self::PER_RETRY
    }

    pub fn spend(&mut self) {
        self.tenths = self.tenths.saturating_sub(Self::PER_RETRY);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// Separate budgets for failures that a single request can cause and for those of network and
/// gateway, so that a request that always fails does not use up the retries of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budgets {
    responses: Budget,
    network: Budget,
}

impl Budgets {
    /// For a request that is not a retry.
    pub fn earn(&mut self) {
        self.responses.earn();
        self.network.earn();
    }

    pub fn for_outcome(&mut self, outcome: Outcome) -> &mut Budget {
        match outcome {
            Outcome::Status(500) | Outcome::Body | Outcome::Envelope => &mut self.responses,
            Outcome::Status(_) | Outcome::Timeout | Outcome::Connect => &mut self.network,
        }
    }
}

/// Parses a `Retry-After` header, which contains seconds or an HTTP date; `None` if it is neither.
///
/// At most [`MAX_RETRY_AFTER`]; zero for a date before `now`.
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that overflows is a long time, not an error.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let at = httpdate::parse_http_date(value).ok()?;
        at.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_temporary_failures_are_retried() {
        use Outcome::{Body, Connect, Envelope, Status, Timeout};
        for outcome in [
            Timeout,
            Connect,
            Body,
            Status(500),
            Status(502),
            Status(503),
            Status(429),
        ] {
            assert_ne!(decide(outcome, 0, None, 0.5, true), Retry::No, "{outcome}");
        }
        for status in [301, 307, 400, 401, 403, 404, 407, 413] {
            assert_eq!(
                decide(Status(status), 0, None, 0.5, true),
                Retry::No,
                "{status}"
            );
        }
        assert_eq!(decide(Envelope, 0, None, 0.5, true), Retry::No);
    }

    #[test]
    fn the_wait_depends_on_retries_jitter_and_retry_after() {
        let table = [
            // outcome, retries so far, Retry-After, jitter, expected
            (Outcome::Timeout, 0, None, 0.0, Retry::After(ms(0))),
            (Outcome::Timeout, 0, None, 1.0, Retry::After(ms(200))),
            (Outcome::Timeout, 1, None, 0.5, Retry::After(ms(400))),
            (Outcome::Timeout, 1, None, 1.0, Retry::After(ms(800))),
            (Outcome::Timeout, 2, None, 1.0, Retry::No),
            (Outcome::Status(429), 0, None, 0.0, Retry::After(ms(1000))),
            (
                Outcome::Status(429),
                0,
                Some(ms(0)),
                0.5,
                Retry::After(ms(100)),
            ),
            (
                Outcome::Status(429),
                0,
                Some(ms(2000)),
                0.5,
                Retry::After(ms(2100)),
            ),
            (
                Outcome::Status(429),
                0,
                Some(ms(5000)),
                0.0,
                Retry::After(ms(5000)),
            ),
            (Outcome::Status(429), 0, Some(ms(6000)), 0.0, Retry::No),
            (Outcome::Status(503), 0, Some(ms(6000)), 0.0, Retry::No),
            (Outcome::Connect, 0, None, f64::NAN, Retry::After(ms(200))),
            (Outcome::Connect, 0, None, 7.0, Retry::After(ms(200))),
        ];
        for (outcome, retries, retry_after, jitter, expected) in table {
            let decided = decide(outcome, retries, retry_after, jitter, true);
            assert_eq!(
                decided, expected,
                "{outcome} {retries} {retry_after:?} {jitter}"
            );
        }
    }

    #[test]
    fn nothing_is_retried_without_budget() {
        assert_eq!(decide(Outcome::Timeout, 0, None, 0.5, false), Retry::No);
    }

    #[test]
    fn the_budget_is_ten_retries_plus_a_tenth_of_the_requests() {
        let mut budget = Budget::new();
        let mut retries = 0;
        for _ in 0..200 {
            budget.earn();
            if budget.is_left() {
                budget.spend();
                retries += 1;
            }
        }
        assert!((29..=30).contains(&retries), "{retries}");
    }

    #[test]
    fn a_request_that_always_fails_does_not_use_up_the_retries_of_others() {
        let mut budgets = Budgets::default();
        for _ in 0..1000 {
            budgets.earn();
            budgets.for_outcome(Outcome::Status(500)).spend();
            budgets.for_outcome(Outcome::Body).spend();
        }
        assert!(!budgets.for_outcome(Outcome::Status(500)).is_left());
        for outcome in [Outcome::Status(503), Outcome::Timeout, Outcome::Connect] {
            assert!(budgets.for_outcome(outcome).is_left(), "{outcome}");
        }
    }

    #[test]
    fn the_budget_does_not_grow_beyond_ten_retries() {
        let mut budget = Budget::new();
        (0..10_000).for_each(|_| budget.earn());
        (0..10).for_each(|_| budget.spend());
        assert!(!budget.is_left());
    }

    #[test]
    fn retry_after_contains_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let date = |seconds| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        let table = [
            ("3", Some(3)),
            (" 0 ", Some(0)),
            ("999999", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            (&*date(7), Some(7)),
            (&*date(90_000), Some(3600)),
            ("", None),
            ("-1", None),
            ("soon", None),
        ];
        for (value, seconds) in table {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(parse_retry_after(value, now), expected, "{value:?}");
        }
        let past = httpdate::fmt_http_date(now - Duration::from_secs(60));
        assert_eq!(parse_retry_after(&past, now), Some(Duration::ZERO));
    }
}

//! Decides whether and when to retry a request. Pure: no clock, no waiting.

use std::fmt;
use std::time::{Duration, SystemTime};

/// How a request ended. `Display` gives the label `code` of the request counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestOutcome {
    Status(u16),
    Timeout,
    /// No connection, or it broke before a status arrived.
    Connect,
    /// A success whose body was cut off, is too large or cannot be parsed.
    Body,
    /// A success with an error in the body.
    Envelope,
}

impl RequestOutcome {
    /// Outcomes to expect of the vendor and its gateway, exported at 0 from the start.
    pub fn foreseeable() -> impl Iterator<Item = Self> {
        let statuses = [200, 400, 401, 403, 404, 429, 500, 502, 503, 504];
        let others = [Self::Timeout, Self::Connect, Self::Body, Self::Envelope];
        statuses.into_iter().map(Self::Status).chain(others)
    }

    fn is_temporary(self) -> bool {
        match self {
            Self::Timeout | Self::Connect | Self::Body => true,
            Self::Status(status) => status == 429 || (500..600).contains(&status),
            Self::Envelope => false,
        }
    }
}

impl fmt::Display for RequestOutcome {
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

/// How long to wait before a failed request is repeated that has been retried `retries` times;
/// `None` if it must not be. `jitter` is a random number from 0 to 1.
///
/// Waits for `retry_after` plus a random share of a backoff that grows fourfold from 200 ms to 2 s.
/// The jitter keeps requests that failed together from being repeated together.
pub fn backoff(
    outcome: RequestOutcome,
    retries: u32,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let requested = match outcome {
        RequestOutcome::Status(429) => retry_after.unwrap_or(RATE_LIMIT_WAIT),
        _ => retry_after.unwrap_or_default(),
    };
    if !outcome.is_temporary() || retries >= MAX_RETRIES || requested > MAX_WAIT {
        return None;
    }
    let backoff = FIRST_BACKOFF
        .saturating_mul(4_u32.saturating_pow(retries))
        .min(MAX_BACKOFF);
    Some(requested + backoff.mul_f64(jitter))
}

/// Limits retries to a share of the requests, so that an outage reduces the load on the vendor.
///
/// Failures that a single request can cause have a budget of their own, so that a request that
/// always fails does not use up the retries of the others.
#[derive(Clone, Copy, Debug)]
pub struct Budgets {
    /// Tenths of a retry, as integers do not drift.
    responses: u32,
    /// For failures of network and gateway.
    network: u32,
}

impl Budgets {
    const PER_REQUEST: u32 = 1;
    const PER_RETRY: u32 = 10;
    const RESERVE: u32 = 10 * Self::PER_RETRY;

    /// Adds a tenth of a retry, for a request that is not a retry.
    pub fn earn(&mut self) {
        for budget in [&mut self.responses, &mut self.network] {
            *budget = (*budget + Self::PER_REQUEST).min(Self::RESERVE);
        }
    }

    /// Whether the budget allows a retry, which is then spent.
    pub fn spend(&mut self, outcome: RequestOutcome) -> bool {
        let budget = match outcome {
            RequestOutcome::Status(500) | RequestOutcome::Body | RequestOutcome::Envelope => {
                &mut self.responses
            }
            RequestOutcome::Status(_) | RequestOutcome::Timeout | RequestOutcome::Connect => {
                &mut self.network
            }
        };
        let left = budget.checked_sub(Self::PER_RETRY);
        *budget = left.unwrap_or(*budget);
        left.is_some()
    }
}

impl Default for Budgets {
    /// The maximum of ten retries.
    fn default() -> Self {
        Self {
            responses: Self::RESERVE,
            network: Self::RESERVE,
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
        use RequestOutcome::{Body, Connect, Envelope, Status, Timeout};
        for outcome in [
            Timeout,
            Connect,
            Body,
            Status(500),
            Status(502),
            Status(503),
            Status(429),
        ] {
            assert_ne!(backoff(outcome, 0, None, 0.5), None, "{outcome}");
        }
        for status in [301, 307, 400, 401, 403, 404, 407, 413] {
            assert_eq!(backoff(Status(status), 0, None, 0.5), None, "{status}");
        }
        assert_eq!(backoff(Envelope, 0, None, 0.5), None);
    }

    #[test]
    fn the_wait_depends_on_retries_jitter_and_retry_after() {
        use RequestOutcome::{Connect, Status, Timeout};
        let table = [
            // outcome, retries so far, Retry-After, jitter, expected
            (Timeout, 0, None, 0.0, Some(ms(0))),
            (Timeout, 0, None, 1.0, Some(ms(200))),
            (Timeout, 1, None, 0.5, Some(ms(400))),
            (Timeout, 1, None, 1.0, Some(ms(800))),
            (Timeout, 2, None, 1.0, None),
            (Status(429), 0, None, 0.0, Some(ms(1000))),
            (Status(429), 0, Some(ms(0)), 0.5, Some(ms(100))),
            (Status(429), 0, Some(ms(2000)), 0.5, Some(ms(2100))),
            (Status(429), 0, Some(ms(5000)), 0.0, Some(ms(5000))),
            (Status(429), 0, Some(ms(6000)), 0.0, None),
            (Status(503), 0, Some(ms(6000)), 0.0, None),
            (Connect, 0, None, 1.0, Some(ms(200))),
        ];
        for (outcome, retries, retry_after, jitter, expected) in table {
            let decided = backoff(outcome, retries, retry_after, jitter);
            assert_eq!(
                decided, expected,
                "{outcome} {retries} {retry_after:?} {jitter}"
            );
        }
    }

    #[test]
    fn the_budget_is_ten_retries_plus_a_tenth_of_the_requests() {
        let mut budgets = Budgets::default();
        let mut retries = 0;
        for _ in 0..200 {
            budgets.earn();
            retries += u32::from(budgets.spend(RequestOutcome::Timeout));
        }
        assert!((29..=30).contains(&retries), "{retries}");
    }

    #[test]
    fn a_request_that_always_fails_does_not_use_up_the_retries_of_others() {
        let mut budgets = Budgets::default();
        for _ in 0..1000 {
            budgets.earn();
            budgets.spend(RequestOutcome::Status(500));
            budgets.spend(RequestOutcome::Body);
        }
        assert!(!budgets.spend(RequestOutcome::Status(500)));
        for outcome in [
            RequestOutcome::Status(503),
            RequestOutcome::Timeout,
            RequestOutcome::Connect,
        ] {
            assert!(budgets.spend(outcome), "{outcome}");
        }
    }

    #[test]
    fn the_budget_does_not_grow_beyond_ten_retries() {
        let mut budgets = Budgets::default();
        (0..10_000).for_each(|_| budgets.earn());
        let spent = (0..20).filter(|_| budgets.spend(RequestOutcome::Connect));
        assert_eq!(spent.count(), 10);
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

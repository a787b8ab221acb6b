//! Whether and when to try again: a value made of what came, with no clock and no waiting.

use std::fmt;
use std::time::{Duration, SystemTime};

/// How one request ended. `Display` gives the label `code` of the requests' counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This HTTP status, and nothing else to remark.
    Status(u16),
    /// Not over within the request's time.
    Timeout,
    /// No connection, or one that broke before a status came.
    Connect,
    /// A success whose body broke off, is too large or cannot be read.
    Body,
    /// A success with an error inside.
    Envelope,
}

impl Outcome {
    /// What is to be expected of the vendor and its gateway sooner or later.
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

    /// Whether the same request may fare better in a moment.
    fn may_pass(self) -> bool {
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
    /// Try again after this long.
    After(Duration),
    /// Leave it.
    No,
}

/// Times that a request is tried again. Pulls repeat anyway, so more would only add load.
pub const MAX_RETRIES: u32 = 2;
/// The longest `Retry-After` that is waited for here; longer ones are the puller's to plan with.
pub const MAX_WAIT: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is believed.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// What a 429 without `Retry-After` is taken to ask for: the rate limits seen count by the second.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(1);

/// Decides after a failed request: `made` retries were made before, `jitter` is a random number
/// from 0 to 1, `budget_left` what [`Budget::is_left`] says.
///
/// The wait is a random share of a backoff that grows fourfold from 200 ms to 2 s, on top of what
/// the vendor asked for, so that requests which failed together do not come back together.
pub fn decide(
    outcome: Outcome,
    made: u32,
    retry_after: Option<Duration>,
    jitter: f64,
    budget_left: bool,
) -> Retry {
    let asked_for = match outcome {
        Outcome::Status(429) => retry_after.unwrap_or(RATE_LIMIT_WAIT),
        _ => retry_after.unwrap_or_default(),
    };
    if !outcome.may_pass() || made >= MAX_RETRIES || !budget_left || asked_for > MAX_WAIT {
        return Retry::No;
    }
    let backoff = FIRST_BACKOFF
        .saturating_mul(4_u32.saturating_pow(made))
        .min(MAX_BACKOFF);
    let share = if jitter.is_nan() {
        1.0
    } else {
        jitter.clamp(0.0, 1.0)
    };
    Retry::After(asked_for + backoff.mul_f64(share))
}

/// Bounds retries by a share of the requests, so that an outage is met with fewer of them.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// In tenths of a retry: integers do not drift.
    tenths: u32,
}

impl Budget {
    const PER_REQUEST: u32 = 1;
    const PER_RETRY: u32 = 10;
    const RESERVE: u32 = 10 * Self::PER_RETRY;

    /// Room for ten retries; it never grows beyond that.
    pub fn new() -> Self {
        Self {
            tenths: Self::RESERVE,
        }
    }

    /// A request that is no retry: earns a tenth of one.
    pub fn earn(&mut self) {
        self.tenths = (self.tenths + Self::PER_REQUEST).min(Self::RESERVE);
    }

    /// Whether there is room for a retry.
    pub fn is_left(&self) -> bool {
        self.tenths >= Self::PER_RETRY
    }

    /// Takes the room of one retry.
    pub fn spend(&mut self) {
        self.tenths = self.tenths.saturating_sub(Self::PER_RETRY);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// Two budgets, so that a request that always fails does not take the retries of the others:
/// failures that one request may cause are apart from those of the network and the gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budgets {
    answers: Budget,
    network: Budget,
}

impl Budgets {
    /// A request that is no retry.
    pub fn earn(&mut self) {
        self.answers.earn();
        self.network.earn();
    }

    /// The budget for retries after this.
    pub fn after(&mut self, outcome: Outcome) -> &mut Budget {
        match outcome {
            Outcome::Status(500) | Outcome::Body | Outcome::Envelope => &mut self.answers,
            Outcome::Status(_) | Outcome::Timeout | Outcome::Connect => &mut self.network,
        }
    }
}

/// The time that a `Retry-After` header asks for: seconds, or an HTTP date seen from `now`.
///
/// `None` if it is neither; at most [`MAX_RETRY_AFTER`]; a date that is past asks for nothing.
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let asked_for = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time, not a mistake.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let at = httpdate::parse_http_date(value).ok()?;
        at.duration_since(now).unwrap_or_default()
    };
    Some(asked_for.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
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
    fn waits_by_retries_made_jitter_and_what_was_asked_for() {
        let table = [
            // outcome, retries made, Retry-After, jitter, the wait
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
        for (outcome, made, retry_after, jitter, expected) in table {
            let decided = decide(outcome, made, retry_after, jitter, true);
            assert_eq!(
                decided, expected,
                "{outcome} {made} {retry_after:?} {jitter}"
            );
        }
    }

    #[test]
    fn without_budget_nothing_is_tried_again() {
        assert_eq!(decide(Outcome::Timeout, 0, None, 0.5, false), Retry::No);
    }

    #[test]
    fn the_budget_is_ten_and_a_tenth_of_the_requests() {
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
    fn a_request_that_always_fails_leaves_the_others_their_retries() {
        let mut budgets = Budgets::default();
        for _ in 0..1000 {
            budgets.earn();
            budgets.after(Outcome::Status(500)).spend();
            budgets.after(Outcome::Body).spend();
        }
        assert!(!budgets.after(Outcome::Status(500)).is_left());
        for outcome in [Outcome::Status(503), Outcome::Timeout, Outcome::Connect] {
            assert!(budgets.after(outcome).is_left(), "{outcome}");
        }
    }

    #[test]
    fn quiet_times_save_up_no_more_than_the_reserve() {
        let mut budget = Budget::new();
        (0..10_000).for_each(|_| budget.earn());
        (0..10).for_each(|_| budget.spend());
        assert!(!budget.is_left());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
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

//! How fast requests may follow each other: a pure function of the times of those before.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Remembering more slots than this gains nothing; the span shrinks with them.
const MAX_SLOTS: f64 = 1000.0;

/// Holds requests to a rate, with about a second's worth of them at once.
///
/// It looks back over a window of time instead of filling a bucket: a full bucket lets twice the
/// rate through in its first second, and the vendor answers that with 429.
#[derive(Debug)]
pub struct RateLimiter {
    /// When each of the last slots began, oldest first; at most `slots`.
    taken: VecDeque<Instant>,
    slots: usize,
    /// No more than `slots` requests begin within any stretch of this length.
    span: Duration,
}

impl RateLimiter {
    /// `per_second` is held between one in a quarter of an hour and a million; a number that is
    /// none counts as the slowest.
    pub fn new(per_second: f64) -> Self {
        let rate = if per_second.is_nan() { 0.0 } else { per_second };
        let rate = rate.clamp(1.0 / 900.0, 1e6);
        let slots = rate.floor().clamp(1.0, MAX_SLOTS);
        Self {
            taken: VecDeque::new(),
            slots: slots as usize,
            span: Duration::from_secs_f64(slots / rate),
        }
    }

    /// Takes the next slot and says when it begins: `now` or later.
    pub fn next(&mut self, now: Instant) -> Instant {
        let at = if self.taken.len() < self.slots {
            now
        } else {
            let oldest = self.taken.pop_front();
            oldest.map_or(now, |oldest| now.max(oldest + self.span))
        };
        self.taken.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begin of each slot, in seconds, for callers that ask at these times.
    fn slots(per_second: f64, asked: &[f64]) -> Vec<f64> {
        let start = Instant::now();
        let mut pace = RateLimiter::new(per_second);
        asked
            .iter()
            .map(|at| pace.next(start + Duration::from_secs_f64(*at)))
            .map(|at| ((at - start).as_secs_f64() * 1000.0).round() / 1000.0)
            .collect()
    }

    #[test]
    fn a_second_s_worth_goes_at_once_and_the_rest_waits() {
        assert_eq!(slots(2.0, &[0.0; 6]), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn slow_rates_let_one_through_at_a_time() {
        assert_eq!(slots(0.5, &[0.0; 3]), [0.0, 2.0, 4.0]);
        assert_eq!(slots(2.5, &[0.0; 5]), [0.0, 0.0, 0.8, 0.8, 1.6]);
    }

    #[test]
    fn who_asks_slowly_never_waits_and_saves_nothing_up() {
        assert_eq!(
            slots(2.0, &[0.0, 0.6, 1.2, 9.0, 9.0, 9.0]),
            [0.0, 0.6, 1.2, 9.0, 9.0, 10.0]
        );
    }

    #[test]
    fn no_second_ever_holds_more_than_the_rate() {
        let asked: Vec<f64> = (0..200).map(|i| f64::from(i) * 0.013).collect();
        let begun = slots(7.0, &asked);
        for (index, at) in begun.iter().enumerate() {
            let within = begun[index..]
                .iter()
                .filter(|later| **later < at + 0.999)
                .count();
            assert!(within <= 7, "{within} requests in the second from {at}");
        }
    }

    #[test]
    fn nonsense_is_slow_and_does_not_panic() {
        for rate in [f64::NAN, -1.0, 0.0, 1e-300] {
            assert_eq!(slots(rate, &[0.0; 2]), [0.0, 900.0], "{rate}");
        }
        assert_eq!(slots(f64::INFINITY, &[0.0; 3]), [0.0; 3]);
    }
}

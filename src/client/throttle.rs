//! When requests may be sent: the rate limit, and the pauses that the vendor asks for.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::upstream::Error;

/// The lowest rate of a configuration, in requests per second.
const MIN_RATE: f64 = 0.001;

pub(super) struct Throttle {
    rate_limiter: Mutex<RateLimiter>,
    /// The end of the vendor's `Retry-After`, and the failure that it came with.
    pause: Mutex<Option<(Instant, Error)>>,
}

impl Throttle {
    pub(super) fn new(requests_per_second: f64) -> Self {
        Self {
            rate_limiter: Mutex::new(RateLimiter::new(requests_per_second)),
            pause: Mutex::default(),
        }
    }

    /// Waits until the rate limit admits a request.
    pub(super) async fn admit(&self) {
        let start = self.rate_limiter.lock().reserve(Instant::now());
        sleep_until(start).await;
    }

    /// Makes all tasks pause until the error's `Retry-After` is over.
    pub(super) fn remember_pause(&self, error: &Error) {
        let Some(wait) = error.retry_after.filter(|wait| !wait.is_zero()) else {
            return;
        };
        let end = Instant::now() + wait;
        let mut pause = self.pause.lock();
        if pause.as_ref().is_none_or(|(until, _)| *until < end) {
            *pause = Some((end, error.clone()));
        }
    }

    /// Waits for the end of a pause, or fails if that takes longer than `max_wait`.
    pub(super) async fn wait_for_pause(&self, max_wait: Duration) -> Result<(), Error> {
        let Some((end, error)) = self.pause.lock().clone() else {
            return Ok(());
        };
        let remaining = end.saturating_duration_since(Instant::now());
        if remaining > max_wait {
            return Err(Error {
                retry_after: Some(remaining),
                ..error
            });
        }
        sleep(remaining).await;
        Ok(())
    }
}

/// Allows a burst of about one second's worth of requests.
///
/// A sliding window rather than a token bucket: a full bucket admits twice the rate in its first
/// second, which the vendor rejects with 429.
struct RateLimiter {
    /// Start times of the last requests, oldest first; at most `slots`.
    recent: VecDeque<Instant>,
    slots: usize,
    /// No more than `slots` requests start within any period of this length.
    window: Duration,
}

impl RateLimiter {
    fn new(per_second: f64) -> Self {
        let rate = per_second.max(MIN_RATE);
        let slots = rate.floor().max(1.0);
        Self {
            recent: VecDeque::new(),
            slots: slots as usize,
            window: Duration::from_secs_f64(slots / rate),
        }
    }

    /// Reserves a slot; returns when the request may start, `now` or later.
    fn reserve(&mut self, now: Instant) -> Instant {
        let at = if self.recent.len() < self.slots {
            now
        } else {
            let oldest = self.recent.pop_front();
            oldest.map_or(now, |oldest| now.max(oldest + self.window))
        };
        self.recent.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start times in seconds of requests that are wanted at these times.
    fn start_times(per_second: f64, wanted: &[f64]) -> Vec<f64> {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(per_second);
        wanted
            .iter()
            .map(|at| limiter.reserve(start + Duration::from_secs_f64(*at)))
            .map(|at| ((at - start).as_secs_f64() * 1000.0).round() / 1000.0)
            .collect()
    }

    #[test]
    fn one_second_of_requests_starts_at_once_and_the_rest_waits() {
        assert_eq!(start_times(2.0, &[0.0; 6]), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn rates_below_one_admit_one_request_at_a_time() {
        assert_eq!(start_times(0.5, &[0.0; 3]), [0.0, 2.0, 4.0]);
        assert_eq!(start_times(0.001, &[0.0; 2]), [0.0, 1000.0]);
        assert_eq!(start_times(2.5, &[0.0; 5]), [0.0, 0.0, 0.8, 0.8, 1.6]);
    }

    #[test]
    fn a_slow_caller_never_waits_and_gains_no_extra_burst() {
        assert_eq!(
            start_times(2.0, &[0.0, 0.6, 1.2, 9.0, 9.0, 9.0]),
            [0.0, 0.6, 1.2, 9.0, 9.0, 10.0]
        );
    }

    #[test]
    fn no_second_contains_more_requests_than_the_rate() {
        let wanted: Vec<f64> = (0..200).map(|i| f64::from(i) * 0.013).collect();
        let started = start_times(7.0, &wanted);
        for (index, at) in started.iter().enumerate() {
            let within = started[index..]
                .iter()
                .filter(|later| **later < at + 0.999)
                .count();
            assert!(within <= 7, "{within} requests in the second from {at}");
        }
    }
}

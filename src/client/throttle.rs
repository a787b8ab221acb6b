//! When requests may be sent: the rate limit, and the pauses that the vendor asks for.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use super::rate_limit::RateLimiter;
use crate::upstream::Error;

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
        let start = self.rate_limiter.lock().reserve(Instant::now().into_std());
        sleep_until(start.into()).await;
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

//! Issued tokens, and a counter for rate limits.

use std::collections::HashMap;

pub(super) const MAX_LIFETIME_SECONDS: u64 = 3600;
/// If the request asks for none.
pub(super) const DEFAULT_LIFETIME_SECONDS: u64 = 600;

#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Expiry of each token, Unix seconds.
    expiry: HashMap<String, f64>,
}

impl Tokens {
    /// Also drops expired tokens.
    pub(super) fn issue(&mut self, token: String, now: f64, lifetime_seconds: u64) {
        self.expiry.retain(|_, expiry| *expiry > now);
        self.expiry.insert(token, now + lifetime_seconds as f64);
    }

    pub(super) fn is_valid(&self, token: &str, now: f64) -> bool {
        self.expiry.get(token).is_some_and(|&expiry| now < expiry)
    }

    pub(super) fn revoke_all(&mut self) {
        self.expiry.clear();
    }
}

/// Counts events in the current period, such as a second or minute.
#[derive(Debug, Default)]
pub(super) struct PeriodCounter {
    period: u64,
    count: u32,
}

impl PeriodCounter {
    /// Counts an event in the period of this number; returns the count.
    pub(super) fn increment(&mut self, period: u64) -> u32 {
        if self.period != period {
            (self.period, self.count) = (period, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

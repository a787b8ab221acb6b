//! The tokens that were given and still hold.

use std::collections::HashMap;

/// The longest lifetime that can be asked for, seconds.
pub(super) const MAX_SECONDS: u64 = 3600;
/// The lifetime if none is asked for, seconds.
pub(super) const USUAL_SECONDS: u64 = 600;

/// Tokens by name.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Until when each holds, unix seconds.
    held: HashMap<String, f64>,
}

impl Tokens {
    /// Remembers a token given now, and forgets those that no longer hold.
    pub(super) fn give(&mut self, token: String, now: f64, lifetime_seconds: u64) {
        self.held.retain(|_, until| *until > now);
        self.held.insert(token, now + lifetime_seconds as f64);
    }

    pub(super) fn is_valid(&self, token: &str, now: f64) -> bool {
        self.held.get(token).is_some_and(|&until| now < until)
    }

    pub(super) fn revoke_all(&mut self) {
        self.held.clear();
    }
}

/// Counts what happens in the current second, minute or the like.
#[derive(Debug, Default)]
pub(super) struct Meter {
    period: u64,
    count: u32,
}

impl Meter {
    /// Counts one more in the period of this number; returns how many there are now.
    pub(super) fn count(&mut self, period: u64) -> u32 {
        if self.period != period {
            (self.period, self.count) = (period, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

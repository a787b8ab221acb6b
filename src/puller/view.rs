//! What a puller has published.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use super::plan::Progress;
use crate::metrics::exposition::CallMetrics;
use crate::model::UnixSeconds;

/// What is known of a target at one moment; all that was published by then.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether the last pull that ended succeeded; none has before the first.
    pub up: Option<bool>,
    /// Once the first whole lookback is in.
    pub calls: Option<Arc<CallMetrics>>,
    /// How far the list is read.
    pub progress: Progress,
    /// Calls remembered.
    pub remembered: usize,
    /// When the last pull ended, and how long it took; none after one that broke off.
    pub last_pull: Option<(UnixSeconds, Duration)>,
    /// When a pull last succeeded.
    pub last_success: Option<UnixSeconds>,
    /// When and why a pull, or the comparison after it, last failed; it stays after a success.
    pub last_error: Option<(UnixSeconds, Failure)>,
}

impl View {
    /// Whether the last success is so long ago that gauges of calls would show the past.
    /// `stale_after` of 0 stands for never.
    pub fn is_stale(&self, now: UnixSeconds, stale_after: Duration) -> bool {
        let age = |at: UnixSeconds| Duration::from_secs(now.saturating_sub(at).into());
        !stale_after.is_zero() && self.last_success.is_none_or(|at| age(at) > stale_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_stale_once_the_last_success_is_too_long_ago() {
        let view = |last_success| View {
            last_success,
            ..View::default()
        };
        let ten_minutes = Duration::from_secs(600);
        for (last_success, is_stale) in [
            (Some(1000), false),
            (Some(400), false),
            (Some(399), true),
            // The clock has gone back.
            (Some(5000), false),
            (None, true),
        ] {
            let view = view(last_success);
            assert_eq!(
                view.is_stale(1000, ten_minutes),
                is_stale,
                "{last_success:?}"
            );
            assert!(!view.is_stale(1000, Duration::ZERO));
        }
    }
}

//! What a target has published.

use std::sync::Arc;
use std::time::Duration;

use super::plan::Progress;
use super::skipped::Skipped;
use crate::metrics::catalog;
use crate::metrics::exporter::TargetMetrics;
use crate::metrics::exposition::CallMetrics;
use crate::metrics::tallies::FoldedCounts;
use crate::model::UnixSeconds;
use crate::upstream::Error;

/// What a target has published, and how its pulls go.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub snapshot: Snapshot,
    /// Whether the last pull succeeded; `None` before the first has ended.
    pub up: Option<bool>,
    /// When the last pull ended and how long it took; `None` after a panic.
    pub last_pull: Option<(UnixSeconds, Duration)>,
    /// After a restart, the start of the last pull that left no gap stands in for it.
    pub last_success: Option<UnixSeconds>,
    /// The last failure of a pull or a comparison. It stays after a success.
    pub last_error: Option<(UnixSeconds, Error)>,
    /// Why no inspection results can be requested; `None` once one has arrived.
    pub results_error: Option<(UnixSeconds, String)>,
    /// Why the file of teams was not read again; `None` once it has been.
    pub teams_error: Option<(UnixSeconds, String)>,
}

/// What is published of a state, once it is committed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `None` until the first lookback is complete.
    pub calls: Option<Arc<CallMetrics>>,
    pub progress: Progress,
    /// Calls in the ledger.
    pub remembered: usize,
    /// Windows that could not be read, oldest first.
    pub skipped: Vec<Skipped>,
    /// How many are counted under `other`.
    pub(super) folded: FoldedCounts,
    /// `None` if results are not requested.
    pub(super) results: Option<PendingResults>,
}

/// Calls whose inspection result is still to be requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PendingResults {
    pub(super) calls: usize,
    /// Upload time of the oldest one.
    pub(super) oldest: Option<UnixSeconds>,
}

impl View {
    /// Whether the last success is so old that gauges of calls would be misleading; never with a
    /// `stale_after` of 0.
    pub fn is_stale(&self, now: UnixSeconds, stale_after: Duration) -> bool {
        let age = |at: UnixSeconds| Duration::from_secs(now.saturating_sub(at).into());
        !stale_after.is_zero() && self.last_success.is_none_or(|at| age(at) > stale_after)
    }
}

impl Snapshot {
    /// Sets the exporter's own metrics of it.
    pub(super) fn set_metrics(&self, metrics: &TargetMetrics) {
        if let Some(frontier) = self.progress.frontier() {
            metrics.set(catalog::FRONTIER, frontier.into());
        }
        if let Some(at) = self.progress.reconciled {
            metrics.set(catalog::RECONCILED, at.into());
        }
        metrics.set(catalog::LEDGER_CALLS, self.remembered as f64);
        for (metric, folded) in &self.folded {
            metrics.set_optional(*metric, folded.map(|count| count as f64));
        }
        let pending = self.results.map(|results| results.calls as f64);
        metrics.set_optional(catalog::RESULTS_PENDING, pending);
        let oldest = self.results.and_then(|results| results.oldest);
        metrics.set_optional(catalog::OLDEST_RESULT, oldest.map(f64::from));
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
            // The clock stepped back.
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

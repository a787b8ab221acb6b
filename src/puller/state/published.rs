//! The part of a state that is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::TargetState;
use crate::metrics::exposition::CallMetrics;
use crate::metrics::tallies::{FoldedCounts, Tallies};
use crate::model::{CallType, UnixSeconds, Window};
use crate::puller::plan::Progress;
use crate::puller::skipped::Skipped;

/// Seconds before the frontier that `cec_recent_calls` covers.
const RECENT: UnixSeconds = 3600;

/// The part of a state that is published.
pub(in crate::puller) struct Published {
    /// `None` until the first lookback is complete.
    pub(in crate::puller) calls: Option<Arc<CallMetrics>>,
    pub(in crate::puller) looked_at: Option<UnixSeconds>,
    pub(in crate::puller) progress: Progress,
    pub(in crate::puller) remembered: usize,
    pub(in crate::puller) skipped: Vec<Skipped>,
    pub(in crate::puller) folded: FoldedCounts,
    /// `None` if results are not requested.
    pub(in crate::puller) results: Option<PendingResults>,
}

/// Calls whose inspection result is still to be requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::puller) struct PendingResults {
    pub(in crate::puller) calls: usize,
    /// Upload time of the oldest one.
    pub(in crate::puller) oldest: Option<UnixSeconds>,
}

impl TargetState {
    /// What is still to be requested; `None` if results are not requested.
    pub(in crate::puller) fn pending_results(&self) -> Option<PendingResults> {
        self.results.is_enabled().then(|| PendingResults {
            calls: self.results.len(),
            oldest: self.results.oldest(),
        })
    }

    /// How many are counted under `other`.
    pub(in crate::puller) fn folded(&self) -> FoldedCounts {
        self.tallies.folded()
    }

    /// Calls uploaded in the hour before the frontier, by type.
    fn recent(&self, tallies: &Tallies) -> BTreeMap<CallType, u64> {
        let mut calls: BTreeMap<_, _> = tallies.call_types().map(|of| (of, 0)).collect();
        if let Some(to) = self.progress.frontier() {
            let from = to.saturating_sub(RECENT - 1);
            calls.extend(self.ledger.uploaded_in(Window { from, to }));
        }
        calls
    }

    /// Passes the metrics to `look`, without the copy that publishing takes.
    pub(in crate::puller) fn with_metrics(&mut self, look: impl FnOnce(&CallMetrics)) {
        let tallies = std::mem::take(&mut self.tallies);
        let calls = self.call_metrics(tallies);
        look(&calls);
        self.tallies = calls.tallies;
    }

    fn call_metrics(&self, tallies: Tallies) -> CallMetrics {
        CallMetrics {
            recent: self.recent(&tallies),
            tallies,
            oldest_pending: self.ledger.oldest_pending().collect(),
            counted_from: self.counted_from,
        }
    }

    /// What may be published once it is committed.
    pub(in crate::puller) fn published(&self) -> Published {
        let calls =
            (self.progress.complete).then(|| Arc::new(self.call_metrics(self.tallies.clone())));
        Published {
            calls,
            looked_at: self.looked_at,
            progress: self.progress,
            remembered: self.ledger.len(),
            skipped: self.skipped.iter().cloned().collect(),
            folded: self.folded(),
            results: self.pending_results(),
        }
    }
}

//! What is known of one target: its ledger, the tallies made of it, and how far the list is read.

use std::collections::HashSet;

use crate::ledger::{Ledger, Observed};
use crate::metrics::exposition::CallMetrics;
use crate::metrics::tallies::Tallies;
use crate::model::{CallId, CallType, Rejection, Status, UnixSeconds, Window};
use crate::puller::plan::Progress;
use crate::upstream::Page;

/// Ledger, tallies and progress, which are only ever changed together.
#[derive(Default)]
pub struct Book {
    pub(super) ledger: Ledger,
    tallies: Tallies,
    pub(super) progress: Progress,
}

impl Book {
    /// Makes the series of these types and statuses be there from the start.
    pub fn expect(&mut self, call_types: &[CallType], statuses: &[Status]) {
        self.tallies.expect(call_types, statuses);
    }

    /// How many calls are remembered.
    pub fn len(&self) -> usize {
        self.ledger.len()
    }

    /// Whether no call is remembered.
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty()
    }

    /// Takes up a page that was received at `now`; answers with what was rejected, by reason.
    pub fn take(
        &mut self,
        page: &Page,
        now: UnixSeconds,
        lookback: Window,
    ) -> [u64; Rejection::ALL.len()] {
        let Self {
            ledger, tallies, ..
        } = self;
        let mut rejected = page.rejected;
        for record in &page.records {
            let observed =
                ledger.observe(record, now, lookback, &mut |event| tallies.apply(&event));
            if matches!(observed, Observed::Future | Observed::Full) {
                tracing::debug!(call = ?record.id, uploaded = record.uploaded, ?observed, "record rejected");
                rejected[Rejection::UploadTime as usize] += 1;
            }
        }
        rejected
    }

    /// Marks what a whole reading of a window did not show.
    pub(super) fn mark_missing(&mut self, window: Window, seen: &HashSet<CallId>) {
        let Self {
            ledger, tallies, ..
        } = self;
        ledger.mark_missing(window, seen, &mut |event| tallies.apply(&event));
    }

    /// Forgets what is older than the lookback.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) {
        let Self {
            ledger, tallies, ..
        } = self;
        ledger.expire(cutoff, &mut |event| tallies.apply(&event));
    }

    /// What the world may see, once the first whole lookback is in.
    pub(super) fn published(&self) -> Option<CallMetrics> {
        self.progress.complete.then(|| CallMetrics {
            tallies: self.tallies.clone(),
            oldest_pending: self.ledger.oldest_pending().collect(),
        })
    }
}

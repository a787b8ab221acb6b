//! One pull: what is new and what has moved. The comparison of the rest follows while nobody
//! waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::hints::ScanHints;
use super::plan;
use super::scan::Scanned;
use super::state::TargetState;
use super::{Failure, Inner, lock};
use crate::model::{CallSet, Rejection, UnixSeconds, Window};
use crate::store::Store;
use crate::upstream::{Page, Upstream};

/// Pages that one reading may have: what is larger is read in slices, so that little is read again
/// when it breaks off.
pub(super) const SLICE_PAGES: u64 = 50;
/// How long one pull works on a gap before it ends and leaves the rest to the next.
const GAP_BUDGET: Duration = Duration::from_secs(60);

/// A pull under way.
pub(super) struct Pull<'a, U, S> {
    pub(super) inner: &'a Arc<Inner<U, S>>,
    pub(super) hints: &'a mut ScanHints,
    pub(super) now: UnixSeconds,
    pub(super) lookback: Window,
    pub(super) applied: Applied,
    /// Pages to ask for at a time.
    pub(super) parallel: usize,
    /// The total of the last list that was read to its end.
    pub(super) last_total: Option<u64>,
    /// Rows that the last reading had read when it failed.
    pub(super) rows_before_failure: u64,
}

/// Takes up pages.
pub(super) struct Applied {
    /// Calls uploaded in it are taken up; its end is ahead of now by what clocks may differ.
    lookback: Window,
    /// Calls that this pull has read and that may be pending.
    pub(super) pending: CallSet,
}

impl Applied {
    /// Takes up a page; nothing waits between its arrival and this.
    pub(super) fn apply<U, S>(&mut self, inner: &Inner<U, S>, page: &Page) {
        let now = (inner.clock)();
        let rejected = lock(&inner.state).take(page, now, self.lookback);
        for (reason, count) in Rejection::ALL.iter().zip(rejected) {
            if count > 0 {
                inner.metrics.reject(&reason.to_string(), count);
            }
        }
        // Of a million that are final, nothing needs to be remembered here.
        let pending = page.records.iter().filter(|r| !r.status.is_final());
        self.pending.extend(pending.map(|record| record.id));
    }
}

impl<'a, U: Upstream, S: Store> Pull<'a, U, S> {
    pub(super) fn new(inner: &'a Arc<Inner<U, S>>, hints: &'a mut ScanHints) -> Self {
        let now = (inner.clock)();
        let intervals = inner.settings.intervals;
        let lookback = Window {
            from: now.saturating_sub(intervals.lookback),
            // A second more, for a window is asked for that much wider.
            to: now.saturating_add(intervals.overlap).saturating_add(1),
        };
        Self {
            inner,
            hints,
            now,
            lookback,
            applied: Applied {
                lookback,
                pending: CallSet::default(),
            },
            parallel: inner.settings.parallel,
            last_total: None,
            rows_before_failure: 0,
        }
    }

    /// Reads what is new and what has moved: the part that scrapes wait for.
    ///
    /// # Errors
    ///
    /// If the vendor cannot be read at all, the ledger is full, or a commit fails. A part of the
    /// list that cannot be read is stepped over instead.
    pub(super) async fn incremental(&mut self) -> Result<(), Failure> {
        let recent = self.begin();
        if let Some(recent) = recent {
            self.recent(recent).await?;
        }
        self.gap().await?;
        self.retry_skipped().await?;
        if self.state(|state| state.progress.gap).is_none() {
            self.pending().await?;
            self.state(|state| {
                state.progress.complete = true;
                // The first reading is a comparison as well.
                state.progress.reconciled.get_or_insert(self.now);
                state.looked_at = Some(self.now);
            });
        }
        self.expire();
        self.inner.commit().await?;
        match self.state(|state| std::mem::take(&mut state.refused)) {
            0 => Ok(()),
            _ => Err(Failure::Full(self.inner.settings.max_calls)),
        }
    }

    /// Moves the marks to `now`; answers with the recent window, if the list was read before.
    fn begin(&mut self) -> Option<Window> {
        let intervals = self.inner.settings.intervals;
        let from = self.lookback.from;
        self.state(|state| {
            let first = state.progress.known.is_none();
            // What was uploaded before the first pull's lookback is not counted, whatever the
            // lookback may be later. But a first clock that was ahead must not close what is to
            // come, and no counter shows it yet.
            let was_ahead = state.counted() == 0
                && state
                    .counted_from
                    .is_some_and(|counted| counted > from.saturating_add(intervals.overlap));
            if first && state.counted_from.is_none() {
                state.ledger.close_before(from);
                state.counted_from = Some(from);
            } else if was_ahead {
                state.begin_anew(from);
            }
            state.ledger.keep_from(from);
            state.progress.begin(self.now, intervals)
        })
    }

    /// What was never read, slice by slice, as long as the budget lasts.
    async fn gap(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        while let Some(gap) = self.state(|state| state.progress.gap) {
            if began.elapsed() > GAP_BUDGET || self.state(|state| state.refused > 0) {
                return Ok(());
            }
            let slice = plan::slice(gap, self.hints.span.min(self.hints.width));
            let length = (slice.to - slice.from).saturating_add(1);
            let failed_span = length / 2;
            let scanned = match self.scan_slice(slice).await {
                Ok(scanned) => scanned,
                Err(failure) => {
                    // A shorter slice is answered sooner.
                    self.hints.span = failed_span.max(1);
                    return Err(failure);
                }
            };
            if scanned == Scanned::Whole && self.state(|state| state.refused == 0) {
                self.state(|state| state.progress.filled_to(slice.to));
                self.inner.commit().await?;
            }
        }
        Ok(())
    }

    /// Reads a slice of new calls. Answers whether it came to that: a window that holds far more
    /// is left for shorter slices.
    pub(super) async fn scan_slice(&mut self, window: Window) -> Result<Scanned, Failure> {
        let most = (SLICE_PAGES * self.hints.list.size.rows()).min(self.hints.depth);
        let length = (window.to - window.from).saturating_add(1);
        let (scanned, rows) = self.scan(window, Some(most)).await?;
        // Half of what one reading may have, so that a busier hour ahead still fits.
        self.hints.span = plan::next_span(length, rows, most / 2);
        if scanned == Scanned::Oversized {
            // Whatever the total says: a slice that was too large is tried shorter.
            self.hints.span = self.hints.span.min(length / 2).max(1);
        }
        Ok(scanned)
    }

    /// Tries one skipped window again.
    async fn retry_skipped(&mut self) -> Result<(), Failure> {
        let Some(window) = self.state(|state| state.skipped.due(self.now)) else {
            return Ok(());
        };
        let Some(before) = self.state(|state| state.take_skipped(window)) else {
            return Ok(());
        };
        let scanned = self.scan(window, None).await;
        // What is still unreadable is tried again after a longer wait, and so is all of it if
        // nothing could be read.
        let left = self.state(|state| {
            state.change_skipped(|skipped| match scanned {
                Ok(_) => skipped.carry(&before, self.now),
                Err(_) => skipped.requeue(before, self.now),
            });
            state
                .skipped
                .iter()
                .any(|left| left.window.from <= window.to && left.window.to >= window.from)
        });
        if !left {
            tracing::info!(target = %self.inner.settings.name, from = window.from, to = window.to,
                "a part of the list that had been skipped was read");
        }
        scanned.map(drop)
    }

    /// Forgets what has left the lookback. Nothing that could not be read holds it up.
    fn expire(&mut self) {
        let before = self.lookback.from;
        let gone = self.state(|state| {
            state.expire(before);
            if state
                .skipped
                .iter()
                .all(|skipped| skipped.window.to >= before)
            {
                return Vec::new();
            }
            let mut gone = Vec::new();
            state.change_skipped(|skipped| gone = skipped.expire(before));
            gone
        });
        for skipped in gone {
            tracing::warn!(target = %self.inner.settings.name, from = skipped.window.from,
                to = skipped.window.to, tries = skipped.tries,
                "a part of the list left the lookback unread");
        }
    }

    pub(super) fn state<T>(&self, with: impl FnOnce(&mut TargetState) -> T) -> T {
        with(&mut lock(&self.inner.state))
    }
}

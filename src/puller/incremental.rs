//! The part of a pull that scrapes wait for: new calls, the gap, one skipped window, pending calls.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::full;
use super::gap_read::GapRead;
use super::plan;
use super::pull::{Pull, SLICE_PAGES};
use super::scan::Scanned;
use crate::metrics::catalog;
use crate::metrics::exporter::ResultOutcome;
use crate::model::{Window, utc};
use crate::upstream::{Error, Upstream};

/// Time that one pull spends on a gap; the next pull continues.
const GAP_BUDGET: Duration = Duration::from_secs(60);
/// Calls of a gap that are committed together, or as many as are read within the time below. A commit
/// takes two syncs of the disk and writes all counters.
const CALLS_PER_COMMIT: usize = 25_000;
const TIME_PER_COMMIT: Duration = Duration::from_secs(2);

impl<U: Upstream> Pull<'_, U> {
    /// Reads new and pending calls: the part that scrapes wait for.
    ///
    /// # Errors
    ///
    /// If the vendor does not answer, the ledger is full, or a commit fails. A part of the list
    /// that cannot be read is skipped instead.
    pub(super) async fn incremental(&mut self) -> Result<(), Error> {
        let recent = self.begin();
        if let Some(recent) = recent {
            self.recent(recent).await?;
        }
        self.gap().await?;
        if self.state(|state| state.progress.gap).is_none() {
            self.pending().await?;
            self.check_format().await?;
            self.state(|state| {
                // Otherwise not every call was taken.
                if state.refused == 0 {
                    state.progress.complete = true;
                    // The first read compares the whole lookback as well.
                    state.progress.reconciled.get_or_insert(self.now);
                    state.looked_at = Some(self.now);
                }
            });
        }
        self.expire();
        self.inner.commit().await?;
        // Last, because a window that hangs takes many times `request_timeout`.
        if self.retry_skipped().await? {
            self.inner.commit().await?;
        }
        match self.state(|state| std::mem::take(&mut state.refused)) {
            0 => Ok(()),
            _ => Err(full(self.inner.settings.max_calls)),
        }
    }

    /// Advances the progress to `now`. Returns the recent window, `None` for a first pull.
    fn begin(&mut self) -> Option<Window> {
        let intervals = self.inner.settings.intervals;
        let from = self.lookback.from;
        self.state(|state| {
            let first = state.progress.known.is_none();
            // Calls uploaded before the first pull's lookback are never counted, even if the
            // lookback is extended later. But if that pull ran under a clock that was ahead, this
            // mark lies in the future: while nothing has been counted, it moves back.
            let was_ahead = state.counted() == 0
                && state
                    .counted_from
                    .is_some_and(|counted| counted > from.saturating_add(intervals.overlap));
            if first && state.counted_from.is_none() {
                state.ledger.close_before(from);
                state.counted_from = Some(from);
            } else if was_ahead {
                state.restart_from(from);
            }
            state.ledger.keep_from(from);
            state.progress.begin(self.now, intervals)
        })
    }

    /// Reads the gap, slice by slice, within the time budget.
    async fn gap(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let mut committed = began;
        while let Some(gap) = self.state(|state| state.progress.gap) {
            self.hints.gap.get_or_insert_with(|| GapRead::new(gap));
            if began.elapsed() > GAP_BUDGET || self.state(|state| state.refused > 0) {
                return Ok(());
            }
            let slice = plan::slice(gap, self.hints.span.min(self.hints.width));
            let scanned = match self.scan_slice(slice).await {
                Ok(scanned) => scanned,
                Err(failure) => {
                    // The vendor answers a shorter slice sooner.
                    self.hints.span = (slice.seconds() / 2).max(1);
                    // What the slices before have found.
                    self.inner.commit().await?;
                    return Err(failure);
                }
            };
            self.check_format().await?;
            if scanned == Scanned::Whole && self.state(|state| state.refused == 0) {
                let changes = self.state(|state| {
                    state.progress.filled_to(slice.to);
                    state.ledger.change_count()
                });
                if changes >= CALLS_PER_COMMIT || committed.elapsed() >= TIME_PER_COMMIT {
                    self.inner.commit().await?;
                    committed = Instant::now();
                }
            }
        }
        if let Some(gap) = self.hints.gap.take() {
            let calls = self.state(|state| state.ledger.len());
            gap.end(&self.inner.settings.name, calls);
        }
        Ok(())
    }

    /// Reads a slice of a gap, unless it holds far more rows than a slice should.
    pub(super) async fn scan_slice(&mut self, window: Window) -> Result<Scanned, Error> {
        let most = (SLICE_PAGES * self.hints.list.size.rows()).min(self.hints.depth);
        let length = window.seconds();
        let (scanned, rows) = self.scan(window, Some(most)).await?;
        // Aim at half of the limit, so that a busier hour still fits.
        self.hints.span = plan::next_span(length, rows, most / 2);
        if scanned == Scanned::Oversized {
            // The total may be wrong: shorten the slice in any case.
            self.hints.span = self.hints.span.min(length / 2).max(1);
        }
        Ok(scanned)
    }

    /// Retries one skipped window. Returns whether one was due.
    async fn retry_skipped(&mut self) -> Result<bool, Error> {
        let due = self.state(|state| {
            let due = state.skipped.take_due(self.now);
            state.changed |= due.is_some();
            due
        });
        let Some(before) = due else {
            return Ok(false);
        };
        let window = before.window;
        let scanned = self.scan(window, None).await;
        // What is still unreadable waits longer than before.
        let left = self.state(|state| {
            state.changed = true;
            match scanned {
                Ok(_) => state.skipped.inherit_tries(&before, self.now),
                Err(_) => state.skipped.requeue(before, self.now),
            }
            state
                .skipped
                .iter()
                .any(|left| left.window.overlaps(window))
        });
        if !left {
            tracing::info!(target = %self.inner.settings.name, from = %utc(window.from),
                to = %utc(window.to), "a window that had been skipped was read");
        }
        scanned.map(|_| true)
    }

    /// Expires calls that have left the lookback. Skipped windows do not delay this.
    fn expire(&mut self) {
        let before = self.lookback.from;
        let (unread, gone) = self.state(|state| {
            let gone = state.skipped.expire(before);
            state.changed |= !gone.is_empty();
            (state.expire(before), gone)
        });
        if unread > 0 {
            // The series exist only where results are requested.
            let (metrics, outcome) = (&self.inner.metrics, ResultOutcome::Expired);
            metrics.add(catalog::RESULTS, &[outcome.label()], unread as f64);
        }
        for skipped in gone {
            tracing::warn!(target = %self.inner.settings.name, from = %utc(skipped.window.from),
                to = %utc(skipped.window.to), tries = skipped.tries,
                "a skipped window left the lookback unread: its calls are not counted");
        }
    }
}

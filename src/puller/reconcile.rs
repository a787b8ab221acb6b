//! Compares the whole lookback with the list, slice by slice, while no scrape waits.

use super::hints::MAX_RECONCILE_PAGES;
use super::plan::Reconcile;
use super::pull::Pull;
use crate::model::Window;
use crate::upstream::{Error, Upstream};

/// Slices in a row that scrapes may interrupt; then they wait for a slice of one page.
const MAX_INTERRUPTIONS: u32 = 3;

impl<U: Upstream> Pull<'_, U> {
    /// Compares the slices that are due. A scrape that wants a pull interrupts the current slice;
    /// finished slices hold. After a few interruptions in a row the scrape waits for one page,
    /// because otherwise frequent scrapes would starve the comparison.
    pub(super) async fn reconcile(&mut self) -> Result<(), Error> {
        let intervals = self.inner.settings.intervals;
        let mut wanted = self.inner.wanted.subscribe();
        // No page ahead: a scrape might discard it, and there is no hurry.
        self.parallel = 1;
        loop {
            let now = (self.inner.clock)();
            let Some(known) = self.state(|state| {
                state
                    .progress
                    .known
                    .filter(|_| state.progress.gap.is_none())
            }) else {
                return Ok(());
            };
            let from = known.from.max(now.saturating_sub(intervals.lookback));
            let known = Window { from, ..known };
            // The pull took longer than the lookback: all it knew has expired.
            if known.from > known.to {
                return Ok(());
            }
            let mut reconcile = match self.hints.reconcile {
                Some(reconcile) => reconcile.current(now, known, intervals),
                None => Reconcile::new(now, known),
            };
            self.hints.reconcile = Some(reconcile);
            let page_rows = self.hints.list.size.rows();
            let max_rows = self.hints.reconcile_pages * page_rows;
            let slice = reconcile.slice(now, intervals, page_rows, max_rows, |window| {
                self.known_calls(window)
            });
            let Some(slice) = slice else { return Ok(()) };
            // Halved in case of an interruption: the slice was too large to be read between two
            // scrapes.
            let pages = self.hints.reconcile_pages;
            self.hints.reconcile_pages = (pages / 2).max(1);
            self.hints.interruptions += 1;
            let must_finish = self.hints.interruptions > MAX_INTERRUPTIONS;
            let scanned = tokio::select! {
                scanned = self.scan(slice, None) => scanned,
                _ = wanted.wait_for(|wanted| *wanted && !must_finish) => return Ok(()),
            };
            self.hints.interruptions = 0;
            self.hints.reconcile_pages = (pages * 2).min(MAX_RECONCILE_PAGES);
            scanned?;
            reconcile.done(slice);
            self.hints.reconcile = Some(reconcile);
            if reconcile.is_done() {
                self.state(|state| state.progress.reconciled = Some(reconcile.began));
            }
            self.inner.commit().await?;
            if must_finish && *wanted.borrow() {
                return Ok(());
            }
        }
    }
}

//! The comparison of the whole lookback, slice by slice, between the pulls that scrapes wait for.

use super::Failure;
use super::hints::MAX_RECONCILE_PAGES;
use super::plan::Reconcile;
use super::pull::Pull;
use crate::model::Window;
use crate::store::Store;
use crate::upstream::Upstream;

/// Slices that scrapes may drop in a row before they wait for one of a page.
const MAX_DROPS: u32 = 3;

impl<U: Upstream, S: Store> Pull<'_, U, S> {
    /// Compares what is due of the whole lookback, until it is done or dropped. A scrape that
    /// wants a pull drops it, and what was compared so far holds; but after a few drops in a row
    /// it waits for a page, or scrapes that follow each other closely would keep it from ever
    /// being done.
    pub(super) async fn reconcile(&mut self) -> Result<(), Failure> {
        let intervals = self.inner.settings.intervals;
        let mut wanted = self.inner.wanted.subscribe();
        // Nothing is asked for ahead that a scrape would drop, and the vendor has time.
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
            let known = Window {
                from: known.from.max(now.saturating_sub(intervals.lookback)),
                to: known.to,
            };
            // A pull that took longer than the lookback: what it knew by its beginning has left.
            if known.from > known.to {
                return Ok(());
            }
            let mut reconcile = match self.hints.reconcile {
                Some(reconcile) => reconcile.current(now, known, intervals),
                None => Reconcile::new(now, known),
            };
            self.hints.reconcile = Some(reconcile);
            let page_rows = self.hints.list.size.rows();
            let most = self.hints.reconcile_pages * page_rows;
            let slice = self.state(|state| {
                reconcile.slice(now, intervals, page_rows, most, |window| {
                    state.ledger.count_present(window)
                })
            });
            let Some(slice) = slice else { return Ok(()) };
            // Held against a drop: a slice that was too large to be read between two scrapes is
            // tried again with half of its size.
            let pages = self.hints.reconcile_pages;
            self.hints.reconcile_pages = (pages / 2).max(1);
            self.hints.drops += 1;
            let patient = self.hints.drops > MAX_DROPS;
            let scanned = tokio::select! {
                scanned = self.scan(slice, None) => scanned,
                _ = wanted.wait_for(|wanted| *wanted && !patient) => return Ok(()),
            };
            self.hints.drops = 0;
            self.hints.reconcile_pages = (pages * 2).min(MAX_RECONCILE_PAGES);
            scanned?;
            reconcile.done(slice);
            self.hints.reconcile = Some(reconcile);
            if reconcile.is_done() {
                self.state(|state| state.progress.reconciled = Some(reconcile.began));
            }
            self.inner.commit().await?;
            if patient && *wanted.borrow() {
                return Ok(());
            }
        }
    }
}

//! Reads the recent window: calls uploaded since the last pull, and calls that were listed late.
//!
//! The overlap is swept, that is read to its end, where it has only a few calls, and every half overlap
//! anyway, so that a late call is counted within that time. Between sweeps the total saves requests:
//! while it matches the ledger, only as many rows are requested as are likely to be new.

use super::plan;
use super::pull::Pull;
use super::scan::Scanned;
use crate::model::{UnixSeconds, Window};
use crate::upstream::page_size::MIN_LIMIT;
use crate::upstream::pages::Pages;
use crate::upstream::{Error, Filter, Upstream};

/// Rows that are requested even if fewer new calls are likely: about as cheap as one.
const MIN_ROWS: u64 = 50;

impl<U: Upstream> Pull<'_, U> {
    /// Reads what is new in the recent window, which begins before the last sweep.
    pub(super) async fn recent(&mut self, window: Window) -> Result<(), Error> {
        let intervals = self.inner.settings.intervals;
        let page = self.hints.list.size.rows();
        let progress = self.state(|state| state.progress);
        let known = progress.known.map_or(window.from, |known| known.to);
        let known = known.clamp(window.from, window.to);
        let rows = plan::likely_rows(known, window.to, |window| self.known_calls(window));
        let rows = rows.clamp(MIN_ROWS.min(page), page);
        // The newest calls that one request holds.
        let fits = |from| self.known_calls(Window { from, ..window }) <= rows / 2;
        let from = plan::first(window.from, known, fits);
        let due = progress.is_sweep_due(self.now, intervals) || from == window.from;
        let (mut is_alarm, mut scanned) = (false, Scanned::Whole);
        if !due && self.hints.recent.newest_first {
            is_alarm = self.look_newest_first(window, known, rows).await?;
        } else if !due {
            let newest = Window { from, ..window };
            scanned = self.scan_slice(newest).await?;
            let rest = Window { to: from, ..window };
            is_alarm = self.look_at_total(rest).await?;
        }
        let swept = due || (is_alarm && scanned == Scanned::Whole);
        if swept {
            let counted = self.counted();
            scanned = self.sweep(window).await?;
            if !due && counted == self.counted() {
                self.hints.recent.false_alarm();
            }
        }
        self.check_format().await?;
        self.state(|state| {
            if scanned == Scanned::Oversized {
                state.progress.widen_gap(window);
            }
            if state.refused == 0 {
                state.progress.reached(self.now, intervals, swept);
            }
        });
        Ok(())
    }

    /// Reads the window to its end and learns what its total is worth.
    async fn sweep(&mut self, window: Window) -> Result<Scanned, Error> {
        self.last_total = None;
        let scanned = self.scan_slice(window).await?;
        if let (Some(asked), Some(total)) = (self.asked(window), self.last_total) {
            let excess = self.excess(asked, total);
            self.hints.recent.swept(excess);
        }
        Ok(scanned)
    }

    /// Reads pages of a list with the newest call first until they reach back to known calls: one of few
    /// rows, and whole ones if that is not enough. Returns whether to sweep, because the total or
    /// the list is not as expected.
    async fn look_newest_first(
        &mut self,
        window: Window,
        known: UnixSeconds,
        rows: u64,
    ) -> Result<bool, Error> {
        let inner = self.inner;
        let whole = self.state(|state| state.skipped.without(window)) == [window];
        let (Some(asked), true) = (self.asked(window), whole) else {
            return Ok(true);
        };
        let (list, recent) = (&mut self.hints.list, &mut self.hints.recent);
        let few = u32::try_from(rows).unwrap_or(u32::MAX);
        let mut pages = Pages::new(&inner.upstream, asked, Filter::All, 1, list).few(few);
        let total = loop {
            match self.applied.next(&mut pages).await {
                Ok(Some(page)) => {
                    recent.observe(&page);
                    let mut times = page.records.iter().map(|record| record.uploaded);
                    let connects = times.any(|at| at < known);
                    if connects && recent.newest_first {
                        break page.total;
                    }
                    if !recent.newest_first {
                        return Ok(true);
                    }
                    pages = pages.whole();
                }
                Ok(None) => return Ok(true),
                Err(failure) if failure.kind.may_be_local() => return Ok(true),
                Err(failure) => return Err(failure),
            }
        };
        drop(pages);
        Ok(self.is_alarm(asked, total))
    }

    /// Compares the total of a window with the ledger. Returns whether to sweep.
    async fn look_at_total(&mut self, window: Window) -> Result<bool, Error> {
        let inner = self.inner;
        let Some(asked) = self
            .asked(window)
            .filter(|_| self.hints.recent.ignored_for == 0)
        else {
            return Ok(false);
        };
        let list = &mut self.hints.list;
        let mut pages = Pages::new(&inner.upstream, asked, Filter::All, 1, list).few(MIN_LIMIT);
        let total = match self.applied.next(&mut pages).await {
            Ok(Some(page)) => page.total,
            Ok(None) => Some(0),
            Err(failure) if failure.kind.may_be_local() => return Ok(true),
            Err(failure) => return Err(failure),
        };
        drop(pages);
        Ok(self.is_alarm(asked, total))
    }

    /// Whether a total announces calls that are not known.
    fn is_alarm(&self, asked: Window, total: Option<u64>) -> bool {
        total.is_some_and(|total| {
            let excess = self.excess(asked, total);
            self.hints.recent.is_alarm(excess)
        })
    }

    /// By how much a total exceeds the known calls.
    fn excess(&self, asked: Window, total: u64) -> i64 {
        total.min(i64::MAX as u64) as i64 - self.known_calls(asked) as i64
    }

    fn counted(&self) -> u64 {
        self.state(|state| state.counted())
    }
}

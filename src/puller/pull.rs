//! A pull under way: what its steps share.

use std::sync::Arc;

use super::Inner;
use super::hints::ScanHints;
use super::state::TargetState;
use crate::metrics::catalog;
use crate::model::{CallSet, Rejection, UnixSeconds, Window};
use crate::upstream::page_size::MIN_LIMIT;
use crate::upstream::pages::{Pages, Pass};
use crate::upstream::{Error, Filter, Page, PageRequest, Upstream};

/// Pages of one slice. A longer window is read in slices, so that an interruption costs little.
pub(super) const SLICE_PAGES: u64 = 50;

/// A pull under way.
pub(super) struct Pull<'a, U> {
    pub(super) inner: &'a Arc<Inner<U>>,
    pub(super) hints: &'a mut ScanHints,
    pub(super) now: UnixSeconds,
    /// It ends after `now` by as much as clocks may differ.
    pub(super) lookback: Window,
    pub(super) applied: Applied<'a, U>,
    /// Pages requested in parallel.
    pub(super) parallel: usize,
    /// The total of the last list that was read to its end.
    pub(super) last_total: Option<u64>,
    /// Rows that the last pass had read when it failed.
    pub(super) rows_before_failure: u64,
}

/// Applies pages to the target's state.
pub(super) struct Applied<'a, U> {
    inner: &'a Inner<U>,
    /// Only calls uploaded in it count.
    lookback: Window,
    /// Calls that this pull has read and that may be pending.
    pub(super) pending: CallSet,
}

impl<U: Upstream> Applied<'_, U> {
    /// The next page of a list that has rows, applied; `None` at the end of the list.
    pub(super) async fn next(&mut self, pages: &mut Pages<'_, U>) -> Result<Option<Page>, Error> {
        let page = pages.next().await?;
        if let Some(page) = &page {
            self.apply(page);
        }
        Ok(page)
    }

    /// Applies the pages that were requested ahead and are no longer needed.
    pub(super) async fn rest(&mut self, mut pages: Pages<'_, U>) -> Pass {
        while let Some(page) = pages.next_in_flight().await {
            self.apply(&page);
        }
        pages.into_pass()
    }

    /// Applies a page. There is no await between its arrival and this, so that an aborted pull
    /// loses none.
    fn apply(&mut self, page: &Page) {
        let inner = self.inner;
        let now = (inner.clock)();
        let rejected = inner.state.lock().apply(page, now, self.lookback);
        for (reason, count) in Rejection::ALL.iter().zip(rejected) {
            if count > 0 {
                let reason = reason.to_string();
                (inner.metrics).add(catalog::REJECTED, &[&reason], count as f64);
            }
        }
        // Only pending ones: a first pull may read a million calls that are final.
        let pending = page.records.iter().filter(|r| !r.status.is_final());
        self.pending.extend(pending.map(|record| record.id));
    }
}

impl<'a, U: Upstream> Pull<'a, U> {
    pub(super) fn new(inner: &'a Arc<Inner<U>>, hints: &'a mut ScanHints) -> Self {
        let now = (inner.clock)();
        let intervals = inner.settings.intervals;
        let lookback = Window {
            from: now.saturating_sub(intervals.lookback),
            to: now.saturating_add(intervals.overlap),
        };
        Self {
            inner,
            hints,
            now,
            lookback,
            applied: Applied {
                inner,
                // Requested windows are that much wider.
                lookback: lookback.pad([1, 1]),
                pending: CallSet::default(),
            },
            parallel: inner.settings.parallel,
            last_total: None,
            rows_before_failure: 0,
        }
    }

    /// Requests one of the smallest pages of a window, and applies it.
    pub(super) async fn small_page(&mut self, window: Window, page: u32) -> Result<Page, Error> {
        let request = PageRequest {
            window,
            filter: Filter::All,
            page,
            limit: MIN_LIMIT,
        };
        let page = self.inner.upstream.page(request).await?;
        self.hints.has_fractions |= page.has_fractions;
        self.applied.apply(&page);
        Ok(page)
    }

    /// Number of known calls of a window that are not missing.
    pub(super) fn known_calls(&self, window: Window) -> u64 {
        self.state(|state| state.ledger.count_present(window))
    }

    pub(super) fn state<T>(&self, with: impl FnOnce(&mut TargetState) -> T) -> T {
        with(&mut self.inner.state.lock())
    }
}

//! A pull under way: what its steps share.

use std::sync::Arc;

use super::Inner;
use super::hints::ScanHints;
use super::state::TargetState;
use crate::metrics::catalog;
use crate::model::{CallId, CallSet, Rejection, UnixSeconds, Window};
use crate::upstream::page_size::MIN_LIMIT;
use crate::upstream::pages::{Pages, Pass};
use crate::upstream::{Error, Filter, Page, PageRequest, Upstream};

/// Pages of one slice. A longer window is read in slices, so that an interruption costs little.
pub(super) const SLICE_PAGES: u64 = 50;

/// Unusable rows, and no usable one, after which a pull checks whether the vendor has changed its format.
const MIN_UNUSABLE: u64 = 10;

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
    /// Rows that this pull could use, and those that it could not.
    usable: u64,
    unusable: u64,
    /// What is wrong with the first of them.
    example: Option<String>,
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
                (inner.metrics).add(catalog::REJECTED, &[reason.label()], count as f64);
            }
        }
        self.usable += page.records.len() as u64;
        self.unusable += page.unusable();
        if self.example.is_none() {
            self.example.clone_from(&page.example);
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
                usable: 0,
                unusable: 0,
                example: None,
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

    /// Fails if the vendor lists rows of which none can be used: it has changed its format. What was
    /// read must not become progress then, so that these calls count once they can be read.
    ///
    /// Odd rows may stand alone in the recent window, so a known call decides, if there is one.
    pub(super) async fn check_format(&mut self) -> Result<(), Error> {
        if self.applied.usable > 0 || self.applied.unusable < MIN_UNUSABLE {
            return Ok(());
        }
        let unusable = self.applied.unusable;
        if let Some((at, _)) = self.known_call() {
            match self.small_page(Window::new(at - 1, at + 1), 1).await {
                Ok(page) if page.records.is_empty() && !page.is_empty() => {}
                _ => return Ok(()),
            }
        }
        let message = format!("not one of {unusable} rows of the list can be used");
        Err(Error::unusable(message, self.applied.example.take()))
    }

    /// A known call that is listed, with no skipped second beside it.
    pub(super) fn known_call(&self) -> Option<(UnixSeconds, CallId)> {
        self.state(|state| {
            let skipped = &state.skipped;
            let is_free = |at: UnixSeconds| (at - 1..=at + 1).all(|at| !skipped.contains(at));
            state.ledger.find_listed(self.lookback, is_free)
        })
    }

    /// Number of known calls of a window that are not missing.
    pub(super) fn known_calls(&self, window: Window) -> u64 {
        self.state(|state| state.ledger.count_present(window))
    }

    pub(super) fn state<T>(&self, with: impl FnOnce(&mut TargetState) -> T) -> T {
        with(&mut self.inner.state.lock())
    }
}

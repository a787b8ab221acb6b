//! Reads one window until the result is known to be complete.

use tracing::debug;

use super::plan;
use super::pull::{Pull, SLICE_PAGES};
use crate::metrics::exporter::UnprovenReason;
use crate::model::{CallSet, Window, utc};
use crate::upstream::pages::{End, Pages, Pass, Verdict};
use crate::upstream::{Error, Filter, Upstream};

/// An empty list may stand beside a total of this much: a total that is always too large by one.
const MAX_EMPTY_TOTAL: u64 = 1;
/// Full pages before a total is trusted that exceeds the allowed rows.
const PAGES_TO_TRUST_TOTAL: u32 = 5;
/// Pages of one window that are read in one piece.
const MAX_PAGES: u64 = 4 * SLICE_PAGES;
/// Rows of a list beyond the window, from a vendor that ignores one of its bounds. A shorter window would
/// have as many.
const MAX_OUTSIDE: u64 = 100_000;

/// One or two passes over a window.
pub(super) struct Reading {
    pub(super) seen: CallSet,
    pub(super) rows: u64,
    /// Rows without an identity: any call may be one of them.
    pub(super) unidentified: u64,
    pub(super) completeness: Completeness,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// Every listed call was seen.
    Complete,
    /// The window holds more rows than are read in one piece.
    Oversized,
    /// The list changes faster than it can be read, or has no end.
    Unproven,
}

impl<U: Upstream> Pull<'_, U> {
    /// Reads a window until one pass proves complete, or two passes agree.
    pub(super) async fn read_to_end(
        &mut self,
        window: Window,
        max_rows: Option<u64>,
    ) -> Result<Reading, Error> {
        let Some(asked) = self.asked(window) else {
            return Ok(Reading {
                seen: CallSet::default(),
                rows: 0,
                unidentified: 0,
                completeness: Completeness::Complete,
            });
        };
        let is_second = window.from == window.to;
        let max_rows = max_rows
            .filter(|_| !is_second)
            .unwrap_or(MAX_PAGES * self.hints.list.size.rows())
            .min(self.hints.depth);
        let first = self.read_once(asked, max_rows).await?;
        let (pass, completeness) = match first.verdict(&self.hints.list) {
            Verdict::Complete => (first, Completeness::Complete),
            Verdict::Cut if first.end == End::Circular => (first, Completeness::Unproven),
            Verdict::Cut => {
                if first.end == End::Deep {
                    self.hints.cut_at(first.rows);
                }
                (first, Completeness::Oversized)
            }
            Verdict::Doubtful => {
                let mut second = self.read_once(asked, max_rows).await?;
                let completeness = match second.verdict(&self.hints.list) {
                    Verdict::Complete => Completeness::Complete,
                    _ if second.agrees_with(&first) => {
                        self.doubted(window, &second);
                        self.hints.list.learn(&second);
                        Completeness::Complete
                    }
                    _ => Completeness::Unproven,
                };
                second.seen.extend(first.into_listed());
                (second, completeness)
            }
        };
        if completeness == Completeness::Complete {
            if pass.contradicts_total(&self.hints.list) {
                self.doubted(window, &pass);
                self.hints.list.learn(&pass);
            }
            self.learn_edges(asked, &pass.seen);
        }
        let rows = match completeness {
            Completeness::Oversized => pass.inside().max(pass.total.unwrap_or_default()),
            _ => pass.inside(),
        };
        Ok(Reading {
            rows,
            unidentified: pass.unidentified(),
            seen: pass.into_listed(),
            completeness,
        })
    }

    /// One pass over a window. Applies each page as it arrives.
    async fn read_once(&mut self, asked: Window, max_rows: u64) -> Result<Pass, Error> {
        let inner = self.inner;
        let parallel = self.parallel;
        let list = &mut self.hints.list;
        let mut pages = Pages::new(&inner.upstream, asked, Filter::All, parallel, list);
        self.rows_before_failure = 0;
        let failed = loop {
            let page = match self.applied.next(&mut pages).await {
                Ok(Some(page)) => page,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            self.hints.recent.observe(&page);
            self.hints.has_fractions |= page.has_fractions;
            if let Some(gap) = &mut self.hints.gap {
                let (rows, limit) = (pages.expected_rows(), pages.limit());
                gap.count_page(&inner.settings.name, asked, rows, limit);
                if gap.is_short() {
                    pages.read_no_more_ahead();
                }
            }
            let pass = pages.pass();
            self.rows_before_failure = pass.rows;
            // The total may be wrong, so a few full pages have to support it.
            let too_long = pass.pages >= PAGES_TO_TRUST_TOTAL && pages.expected_rows() > max_rows;
            let too_many = pass.inside() > max_rows || pass.outside > MAX_OUTSIDE;
            if (too_long || too_many) && !pages.is_at_end() {
                break None;
            }
        };
        let pass = self.applied.rest(pages).await;
        self.hints.count_read();
        if let Some(error) = failed {
            return Err(error);
        }
        self.hints.readable = Some(asked);
        self.last_total = pass.total;
        if let (0, Some(total @ 1..)) = (pass.pages, pass.total)
            && pass.contradicts_total(&self.hints.list)
        {
            // Fail the pull rather than mark known calls missing, or publish an empty lookback.
            let is_off = total <= MAX_EMPTY_TOTAL || self.hints.list.distrusts_totals();
            if self.known_calls(asked) > 0 || !is_off {
                return Err(Error::empty_list(total));
            }
        }
        debug!(target = %inner.settings.name, from = %utc(asked.from), to = %utc(asked.to), ?pass.end,
            calls = pass.seen.len(), "read");
        Ok(pass)
    }

    /// The window to request: a second wider at both ends, because the vendor does not document
    /// whether its bounds are inclusive. It never reaches back to forgotten calls, which must not
    /// be counted again, nor into skipped windows. `None` if nothing is left.
    pub(super) fn asked(&self, window: Window) -> Option<Window> {
        let (forgotten_before, padded) = self.state(|state| {
            (
                state.ledger.forgotten_before(),
                state.skipped.padded(window, self.hints.edges),
            )
        });
        let asked = Window::new(padded.from.max(forgotten_before), padded.to);
        (asked.from <= asked.to).then_some(asked)
    }

    /// The part of a window of which a pass shows every call even if its bounds are exclusive.
    pub(super) fn proven(&self, window: Window) -> Option<Window> {
        plan::proven(self.asked(window)?)
    }

    /// Learns whether the bounds of a requested window are inclusive.
    fn learn_edges(&mut self, asked: Window, seen: &CallSet) {
        let edges = self.state(|state| {
            [asked.from, asked.to].map(|at| state.ledger.is_any_listed(at, |id| seen.contains(&id)))
        });
        let mut known = self.hints.edges;
        for (known, found) in known.iter_mut().zip(edges) {
            *known = match (*known, found) {
                (_, Some(true)) => Some(true),
                (None, Some(false)) => Some(false),
                // Listed before and not now: the call was deleted, or the vendor changed.
                (Some(true), Some(false)) => None,
                (known, _) => known,
            };
        }
        self.hints.set_edges(known);
    }

    /// A window was accepted in spite of its total, or of calls that were listed more than once.
    fn doubted(&mut self, window: Window, pass: &Pass) {
        let finding = match pass.total {
            Some(total) if pass.contradicts_total(&self.hints.list) => {
                let excess = total.abs_diff(pass.rows);
                format!("the vendor's total is off by {excess}")
            }
            _ => "calls are listed more than once, or the total changed".to_owned(),
        };
        self.unproven(UnprovenReason::Total, window, &finding);
    }
}

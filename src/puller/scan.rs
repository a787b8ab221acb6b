//! Reads a window whatever it contains.
//!
//! A window that fails, or cannot be proved complete, is halved down to a second, then read page by
//! page. What still fails is skipped, so that one odd row never stops the rest.

use std::collections::VecDeque;

use tracing::warn;

use super::hints::MIN_WIDTH;
use super::plan;
use super::pull::Pull;
use super::read::Completeness;
use crate::metrics::catalog;
use crate::metrics::exporter::UnprovenReason;
use crate::model::{UnixSeconds, Window, utc};
use crate::upstream::{Error, ErrorKind, Upstream};

/// Failures in a row after which one request checks whether the vendor answers at all.
const FAILURES_TO_PROBE: u32 = 3;
/// Contradictory answers in one scan after which one request checks whether the vendor lists any call
/// at all.
const CONTRADICTIONS_TO_PROBE: u32 = 4;
/// Failed windows in one scan; later ones are no longer halved, but read page by page at once.
const MAX_FAILURES: u32 = 200;
/// Pages of such a window that are requested one by one.
const MAX_SINGLE_PAGES: u32 = 500;

/// How a scan ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scanned {
    /// The window was read to its end, except for what was skipped.
    Whole,
    /// The window holds more rows than allowed.
    Oversized,
}

/// What went wrong during one scan.
#[derive(Default)]
struct Failures {
    total: u32,
    in_a_row: u32,
    contradictions: u32,
}

enum Retry {
    /// The same window.
    Again,
    /// Its halves or, if it is not halved, its single pages.
    Narrower(Error),
}

impl<U: Upstream> Pull<'_, U> {
    /// Reads a window to its end and marks the known calls in it that are no longer listed.
    ///
    /// `max_rows` bounds the window: one with more rows is left for the caller to split. Returns
    /// the number of rows as well.
    ///
    /// # Errors
    ///
    /// If the vendor does not answer at all, or lists no calls although its totals promise some.
    pub(super) async fn scan(
        &mut self,
        window: Window,
        max_rows: Option<u64>,
    ) -> Result<(Scanned, u64), Error> {
        let mut queue: VecDeque<_> = self.state(|state| state.skipped.without(window)).into();
        let mut rows = 0;
        let mut failures = Failures::default();
        // The widest window that the vendor accepted during this scan.
        let mut width = self.hints.width;
        while let Some(part) = queue.pop_front() {
            let length = part.seconds();
            if length > width {
                for piece in plan::pieces(part, width).into_iter().rev() {
                    queue.push_front(piece);
                }
                continue;
            }
            let halves = plan::halves(part).filter(|_| failures.total < MAX_FAILURES);
            match self.read_to_end(part, max_rows).await {
                Ok(reading) => {
                    failures.in_a_row = 0;
                    if width < self.hints.width {
                        self.hints.narrowed_to(width);
                    }
                    match (reading.completeness, halves) {
                        (Completeness::Complete, _) => {
                            rows += reading.rows;
                            if let Some(proven) = self.proven(part) {
                                let was_listed = |id| reading.seen.contains(&id);
                                self.mark_absent(proven, was_listed).await?;
                            }
                        }
                        (Completeness::Oversized, _) if part == window && max_rows.is_some() => {
                            return Ok((Scanned::Oversized, reading.rows));
                        }
                        (_, Some(halves)) => {
                            failures.total += 1;
                            queue.extend(halves);
                        }
                        (_, None) => {
                            rows += reading.rows;
                            let finding =
                                "it changes faster than it can be read, or repeats its pages";
                            self.unproven(UnprovenReason::Changing, part, finding);
                        }
                    }
                }
                Err(failure) => match self.after_failure(failure, &mut failures, width).await? {
                    Retry::Again => queue.push_front(part),
                    Retry::Narrower(failure) => {
                        if failure.kind == ErrorKind::BadRequest {
                            if self.rows_before_failure > 0 {
                                self.hints.cut_at(self.rows_before_failure);
                            } else if length / 2 >= MIN_WIDTH {
                                width = length / 2;
                            }
                        }
                        match halves {
                            Some(halves) => queue.extend(halves),
                            None => {
                                self.read_single_pages(part, &failure.to_string()).await?;
                            }
                        }
                    }
                },
            }
        }
        Ok((Scanned::Whole, rows))
    }

    /// Tells a window that cannot be read from a vendor that does not answer, or hides all calls;
    /// the latter is an error. `width` is that of the widest window that the vendor accepts.
    async fn after_failure(
        &mut self,
        failure: Error,
        failures: &mut Failures,
        width: UnixSeconds,
    ) -> Result<Retry, Error> {
        if !failure.kind.may_be_local() {
            return Err(failure);
        }
        if failure.kind == ErrorKind::Contradiction {
            failures.contradictions += 1;
            if failures.contradictions == CONTRADICTIONS_TO_PROBE {
                return match self.vendor_lists_calls(width).await {
                    true => Ok(Retry::Again),
                    false => Err(failure),
                };
            }
        }
        failures.total += 1;
        failures.in_a_row += 1;
        let is_first = failures.total == 1;
        if is_first || failures.in_a_row >= FAILURES_TO_PROBE {
            // One request tells an odd row from an outage: narrowing windows during an outage
            // would only add load.
            if !self.vendor_answers(failure.kind).await {
                return Err(failure);
            }
            failures.in_a_row = 0;
            if is_first && failure.kind.may_be_limit() {
                // Some vendors fail in their own way if the limit is too large: read once more,
                // with smaller limits allowed.
                self.hints.list.size.doubt_failures = true;
                return Ok(Retry::Again);
            }
        }
        Ok(Retry::Narrower(failure))
    }

    /// Whether the vendor answers the smallest request there is, after a request that failed with
    /// `kind`. Some vendors refuse a window without calls, so a window that was read before is requested
    /// then; or the lookback, if this failure is another one than the first, which it seldom is in an
    /// outage.
    async fn vendor_answers(&mut self, kind: ErrorKind) -> bool {
        let moment = Window::new(self.now.saturating_sub(1), self.now);
        let Err(failure) = self.small_page(moment, 1).await else {
            return true;
        };
        let is_other = failure.kind != kind && failure.kind.may_be_local();
        let is_refused = matches!(failure.kind, ErrorKind::Envelope | ErrorKind::BadRequest);
        let window = match self.hints.readable {
            Some(window) if is_other || is_refused => window,
            None if is_other => Window::new(self.lookback.from, self.now),
            _ => return false,
        };
        self.small_page(window, 1).await.is_ok()
    }

    /// Whether the vendor lists calls where most are known. If so, a second of that list shows whether
    /// its totals are always off.
    async fn vendor_lists_calls(&mut self, width: UnixSeconds) -> bool {
        let busiest = self.state(|state| {
            let readable = state.skipped.without(self.lookback).into_iter();
            let pieces = readable.flat_map(|window| plan::pieces(window, width));
            pieces.max_by_key(|piece| state.ledger.count_present(*piece))
        });
        let Some(window) = busiest else { return false };
        let Ok(page) = self.small_page(window, 1).await else {
            return false;
        };
        if let Some(record) = page.records.first() {
            // Only to learn from it: a failure here proves nothing.
            let second = Window::new(record.uploaded, record.uploaded);
            drop(self.read_to_end(second, None).await);
        }
        !page.is_empty()
    }

    /// The last resort for a window that cannot be read and is not halved: its smallest pages one by one.
    /// Skips it if some fail.
    async fn read_single_pages(&mut self, window: Window, reason: &str) -> Result<(), Error> {
        self.probe_edges().await?;
        // Without the adjacent seconds, whose rows may be the ones that fail.
        let padded = self.hints.pad(window);
        let is_known = self.hints.edges.iter().all(Option::is_some);
        if !is_known {
            self.read_pages(window).await?;
        }
        if self.read_pages(padded).await? {
            return Ok(());
        }
        // Where it is unknown whether a bound is inclusive, the rows beyond it may be the ones that fail.
        let skipped = window.pad(self.hints.edges.map(|edge| edge.is_none().into()));
        self.unproven(UnprovenReason::Unreadable, skipped, reason);
        self.state(|state| {
            state.skipped.add(skipped, self.now, reason);
            state.changed = true;
        });
        Ok(())
    }

    /// Finds out with a known call whether the bounds of a window are inclusive, so that one second
    /// can be read without its neighbours.
    async fn probe_edges(&mut self) -> Result<(), Error> {
        if self.hints.edges.iter().all(Option::is_some) {
            return Ok(());
        }
        let Some((at, id)) = self.known_call() else {
            return Ok(());
        };
        for (from, to, edges) in [
            (at, at, [true, true]),
            (at, at + 1, [true, false]),
            (at - 1, at, [false, true]),
        ] {
            match self.small_page(Window { from, to }, 1).await {
                Ok(page) if page.records.iter().any(|record| record.id == id) => {
                    self.hints.set_edges(edges.map(Some));
                    return Ok(());
                }
                Ok(_) => {}
                Err(failure) if failure.kind.may_be_local() => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        self.hints.edges = [Some(false); 2];
        Ok(())
    }

    /// Reads a window in the smallest pages, past those that fail. Returns whether none did.
    async fn read_pages(&mut self, window: Window) -> Result<bool, Error> {
        let (mut failed, mut in_a_row) = (0, 0);
        for page in 1..=MAX_SINGLE_PAGES {
            match self.small_page(window, page).await {
                Ok(found) if found.is_empty() => {
                    // Empty, although calls are known here and the total confirms them.
                    let is_known = self.known_calls(window) > 0;
                    failed += u32::from(page == 1 && is_known && found.total > Some(0));
                    break;
                }
                Ok(_) => in_a_row = 0,
                Err(failure) if failure.kind.may_be_local() => {
                    failed += 1;
                    in_a_row += 1;
                    if in_a_row >= FAILURES_TO_PROBE {
                        break;
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(failed == 0)
    }

    /// Counts a part of the list that was accepted without proof, and logs each reason once.
    pub(super) fn unproven(&mut self, reason: UnprovenReason, window: Window, finding: &str) {
        let reason = reason.label();
        (self.inner.metrics).add(catalog::UNPROVEN, &[reason], 1.0);
        // The numbers may change with each reading.
        let kind = |finding: &str| finding.replace(|c: char| c.is_ascii_digit(), "");
        if kind(&self.hints.warned) != kind(finding) {
            self.hints.warned = finding.to_owned();
            warn!(target = %self.inner.settings.name, from = %utc(window.from),
                to = %utc(window.to), reason, "a part of the list could not be proved complete: {finding}");
        }
    }
}

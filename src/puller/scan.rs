//! Reads a window whatever it contains.
//!
//! A window that fails, or cannot be proved complete, is halved down to a second, then read page by
//! page. What still fails is skipped, so that one odd row never stops the rest.

use std::collections::VecDeque;

use tracing::warn;

use super::Failure;
use super::hints::MIN_WIDTH;
use super::plan;
use super::pull::Pull;
use super::read::Completeness;
use crate::metrics::catalog;
use crate::model::{Window, utc};
use crate::store::Store;
use crate::upstream::page_size::MIN_LIMIT;
use crate::upstream::{ErrorKind, Filter, PageRequest, Upstream};

/// After so many failures in a row, one request checks whether the vendor answers at all.
pub(super) const FAILURES_TO_PROBE: u32 = 3;
/// Contradictory answers in one scan that make it a failure of the vendor, not of a window.
const MAX_CONTRADICTIONS: u32 = 4;
/// Failed windows in one scan; later ones are no longer halved, but skipped whole.
const MAX_FAILURES: u32 = 200;

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
    /// Its halves or, for a second, its single pages.
    Narrower(Failure),
}

impl<U: Upstream, S: Store> Pull<'_, U, S> {
    /// Reads a window to its end and marks the known calls in it that are no longer listed.
    ///
    /// `max_rows` bounds the window: one with more rows is left for the caller to split. Returns
    /// the number of rows as well.
    ///
    /// # Errors
    ///
    /// If the vendor does not answer at all, or contradicts itself everywhere.
    pub(super) async fn scan(
        &mut self,
        window: Window,
        max_rows: Option<u64>,
    ) -> Result<(Scanned, u64), Failure> {
        let mut queue: VecDeque<_> = self.state(|state| state.skipped.without(window)).into();
        let mut rows = 0;
        let mut failures = Failures::default();
        // The widest window that the vendor accepted during this scan.
        let mut width = self.hints.width;
        while let Some(part) = queue.pop_front() {
            let length = (part.to - part.from).saturating_add(1);
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
                            self.mark_unlisted(part, &reading.seen).await?;
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
                            let finding = "it changes faster than it can be read";
                            self.unproven("changing", part, finding);
                        }
                    }
                }
                Err(failure) => match self.after_failure(failure, &mut failures).await? {
                    Retry::Again => queue.push_front(part),
                    Retry::Narrower(failure) => {
                        if kind(&failure) == Some(ErrorKind::BadRequest) {
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

    /// Tells a window that cannot be read from a vendor that does not answer; the latter is an
    /// error.
    async fn after_failure(
        &mut self,
        failure: Failure,
        failures: &mut Failures,
    ) -> Result<Retry, Failure> {
        failures.contradictions += u32::from(kind(&failure) == Some(ErrorKind::Contradiction));
        if !may_be_local(&failure) || failures.contradictions >= MAX_CONTRADICTIONS {
            return Err(failure);
        }
        failures.total += 1;
        failures.in_a_row += 1;
        let is_first = failures.total == 1;
        if is_first || failures.in_a_row >= FAILURES_TO_PROBE {
            // One request tells an odd row from an outage: narrowing windows during an outage
            // would only add load.
            if !self.vendor_answers().await {
                return Err(failure);
            }
            failures.in_a_row = 0;
            if is_first && kind(&failure).is_some_and(ErrorKind::may_be_limit) {
                // Some vendors fail in their own way if the limit is too large: read once more,
                // with smaller limits allowed.
                self.hints.list.size.doubt_failures = true;
                return Ok(Retry::Again);
            }
        }
        Ok(Retry::Narrower(failure))
    }

    /// Whether the vendor answers the smallest request there is.
    async fn vendor_answers(&mut self) -> bool {
        let request = PageRequest {
            window: Window {
                from: self.now,
                to: self.now,
            },
            filter: Filter::All,
            page: 1,
            limit: MIN_LIMIT,
        };
        let page = self.inner.upstream.page(request).await;
        if let Ok(page) = &page {
            self.applied.apply(self.inner, page);
        }
        page.is_ok()
    }

    /// Counts a part of the list that was accepted without proof, and logs each reason once.
    pub(super) fn unproven(&mut self, reason: &'static str, window: Window, finding: &str) {
        (self.inner.metrics).add(catalog::UNPROVEN, &[reason], 1.0);
        if self.hints.warned != finding {
            self.hints.warned = finding.to_owned();
            warn!(target = %self.inner.settings.name, from = %utc(window.from),
                to = %utc(window.to), reason, "a part of the list could not be proved complete: {finding}");
        }
    }
}

pub(super) fn kind(failure: &Failure) -> Option<ErrorKind> {
    match failure {
        Failure::Upstream(error) => Some(error.kind),
        _ => None,
    }
}

/// Whether a failure may depend on the window, so that another window may succeed. One row can make
/// the vendor hang or break the connection, as an outage does.
pub(super) fn may_be_local(failure: &Failure) -> bool {
    kind(failure).is_some_and(|kind| !kind.is_refusal())
}

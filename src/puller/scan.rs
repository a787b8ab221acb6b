//! Reads windows of the list, whatever is in them: a window that cannot be read, or proved
//! complete, is narrowed by time and then by page; what remains is stepped over.

use std::collections::VecDeque;

use tracing::{debug, warn};

use super::Failure;
use super::hints::MIN_WIDTH;
use super::plan;
use super::pull::{Pull, SLICE_PAGES};
use crate::model::{CallId, CallSet, UnixSeconds, Window};
use crate::store::Store;
use crate::upstream::page_size::MIN_LIMIT;
use crate::upstream::pages::{End, Pages, Pass, Verdict};
use crate::upstream::{Error, ErrorKind, Filter, PageRequest, Upstream};

/// Failures in a row after which it is asked whether the vendor answers anything at all.
const FAILURES_TO_PROBE: u32 = 3;
/// Contradictions in one scan after which it is the vendor that is wrong, not a window.
const MAX_CONTRADICTIONS: u32 = 4;
/// A total that promises so many calls where none is may count one twice.
const MAX_OFF: u64 = 1;
/// Parts that one scan may fail at; the rest is stepped over as a whole.
const MAX_FAILURES: u32 = 200;
/// Pages of one second that are tried one by one.
const MAX_SINGLE_PAGES: u32 = 500;
/// Full pages after which a total is believed that promises too many rows.
const PAGES_TO_BELIEVE: u32 = 5;
/// Pages of any window that are read at once.
const MAX_PAGES: u64 = 4 * SLICE_PAGES;

/// Whether a window was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scanned {
    /// To its end, but for what was stepped over.
    Whole,
    /// It holds more than one reading should.
    Oversized,
}

/// What a reading of a window showed.
struct Reading {
    seen: CallSet,
    rows: u64,
    outcome: Outcome,
}

enum Outcome {
    /// All that is listed.
    Complete,
    /// More than was to be read at once.
    Oversized,
    /// The list changes faster than it can be read, or has no end.
    Unproven,
}

impl<U: Upstream, S: Store> Pull<'_, U, S> {
    /// Reads a window to its end, and marks the calls in it that are no longer listed.
    ///
    /// With `most`, a window of more rows is not read. Answers with the number of rows found as
    /// well.
    ///
    /// # Errors
    ///
    /// If the vendor does not answer at all.
    pub(super) async fn scan(
        &mut self,
        window: Window,
        most: Option<u64>,
    ) -> Result<(Scanned, u64), Failure> {
        let mut queue: VecDeque<_> = self.state(|state| state.skipped.without(window)).into();
        let mut rows = 0;
        let (mut failed, mut in_a_row, mut contradictions) = (0, 0, 0);
        // The widest window that the vendor seems to take, by this scan.
        let mut width = self.hints.width;
        while let Some(part) = queue.pop_front() {
            let length = (part.to - part.from).saturating_add(1);
            if length > width {
                for piece in plan::pieces(part, width).into_iter().rev() {
                    queue.push_front(piece);
                }
                continue;
            }
            let failure = match self.read_to_end(part, most).await {
                Ok(reading) => {
                    in_a_row = 0;
                    if width < self.hints.width {
                        self.hints.narrowed_to(width);
                    }
                    match (reading.outcome, plan::halves(part)) {
                        (Outcome::Complete, _) => {
                            rows += reading.rows;
                            self.settle(part, &reading.seen).await?;
                        }
                        (Outcome::Oversized, _) if part == window && most.is_some() => {
                            return Ok((Scanned::Oversized, reading.rows));
                        }
                        (_, Some((early, late))) if failed < MAX_FAILURES => {
                            failed += 1;
                            queue.push_back(early);
                            queue.push_back(late);
                        }
                        _ => {
                            rows += reading.rows;
                            self.unproven(
                                "changing",
                                part,
                                "it changes faster than it can be read",
                            );
                        }
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            contradictions += u32::from(kind(&failure) == Some(ErrorKind::Contradiction));
            if !may_be_local(&failure) || contradictions >= MAX_CONTRADICTIONS {
                return Err(failure);
            }
            failed += 1;
            in_a_row += 1;
            if failed == 1 || in_a_row >= FAILURES_TO_PROBE {
                // One request tells an odd row from an outage, which narrowing would only burden.
                if !self.vendor_answers().await {
                    return Err(failure);
                }
                in_a_row = 0;
                if failed == 1 && kind(&failure) == Some(ErrorKind::Server) {
                    // With the doubt, the next reading tries smaller limits.
                    self.hints.list.size.doubt_server_errors = true;
                    queue.push_front(part);
                    continue;
                }
            }
            if kind(&failure) == Some(ErrorKind::BadRequest) {
                if self.rows_before_failure > 0 {
                    self.hints.cut_at(self.rows_before_failure);
                } else if length / 2 >= MIN_WIDTH {
                    width = length / 2;
                }
            }
            match plan::halves(part) {
                Some((early, late)) if failed < MAX_FAILURES => {
                    queue.push_back(early);
                    queue.push_back(late);
                }
                _ => {
                    self.step_through(part, &failure.to_string()).await?;
                }
            }
        }
        Ok((Scanned::Whole, rows))
    }

    /// Whether the vendor answers a request that nearly nothing can be wrong with.
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

    /// Reads a window until one reading is complete by itself, or two agree.
    async fn read_to_end(&mut self, window: Window, most: Option<u64>) -> Result<Reading, Failure> {
        let Some(asked) = self.asked(window) else {
            return Ok(Reading {
                seen: CallSet::default(),
                rows: 0,
                outcome: Outcome::Complete,
            });
        };
        let is_second = window.from == window.to;
        let most = most
            .filter(|_| !is_second)
            .unwrap_or(MAX_PAGES * self.hints.list.size.rows())
            .min(self.hints.depth);
        let first = self.read_once(asked, most).await?;
        let (pass, outcome) = match first.verdict(&self.hints.list) {
            Verdict::Complete => (first, Outcome::Complete),
            Verdict::Cut => {
                if first.end == End::Deep {
                    self.hints.cut_at(first.rows);
                }
                (first, Outcome::Oversized)
            }
            Verdict::Doubtful => {
                let mut second = self.read_once(asked, most).await?;
                let outcome = match second.verdict(&self.hints.list) {
                    Verdict::Complete => Outcome::Complete,
                    _ if second.agrees_with(&first) => {
                        self.warn_of_total(window, &second);
                        self.hints.list.learn(&second);
                        Outcome::Complete
                    }
                    _ => Outcome::Unproven,
                };
                second.seen.extend(first.seen);
                (second, outcome)
            }
        };
        if matches!(outcome, Outcome::Complete) && pass.contradicts_total(&self.hints.list) {
            self.warn_of_total(window, &pass);
            if pass.pages > 0 {
                self.hints.list.learn(&pass);
            }
        }
        if matches!(outcome, Outcome::Complete) {
            self.learn_edges(asked, &pass.seen);
        }
        let rows = match outcome {
            Outcome::Oversized => pass.rows.max(pass.total.unwrap_or_default()),
            _ => pass.rows,
        };
        Ok(Reading {
            rows,
            seen: pass.seen,
            outcome,
        })
    }

    /// One pass over a window: each page is taken up as it comes.
    async fn read_once(&mut self, asked: Window, most: u64) -> Result<Pass, Failure> {
        let inner = self.inner;
        let parallel = self.parallel;
        let list = &mut self.hints.list;
        let mut pages = Pages::new(&inner.upstream, asked, Filter::All, parallel, list);
        self.rows_before_failure = 0;
        let failed = loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            self.applied.apply(inner, &page);
            self.hints.recent.observe(&page);
            let pass = pages.pass();
            self.rows_before_failure = pass.rows;
            // A total that promises more is believed after a few full pages.
            let promised = pass.pages >= PAGES_TO_BELIEVE && pages.expected_rows() > most;
            if (pass.rows > most || promised) && !pages.is_at_end() {
                break None;
            }
        };
        while let Some(page) = pages.next_in_flight().await {
            self.applied.apply(inner, &page);
        }
        let pass = pages.into_pass();
        self.hints.list_read();
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.last_total = pass.total;
        if let (0, Some(total @ 1..)) = (pass.pages, pass.total)
            && pass.contradicts_total(&self.hints.list)
        {
            // Better a target down than calls taken for gone, or a lookback for empty.
            let known = self.state(|state| state.ledger.count_present(asked));
            let is_off = total <= MAX_OFF || self.hints.list.distrusts_totals();
            if known > 0 || !is_off {
                return Err(Error::empty_list(total).into());
            }
        }
        debug!(target = %inner.settings.name, from = asked.from, to = asked.to, ?pass.end,
            calls = pass.seen.len(), "read");
        Ok(pass)
    }

    /// The window to ask for: a second wider at both ends, for the vendor does not say whether its
    /// bounds belong to it. But not before what is forgotten, which must not be taken up again,
    /// and not into what is skipped. `None` if nothing is left.
    pub(super) fn asked(&self, window: Window) -> Option<Window> {
        let (forgotten_before, padded) = self.state(|state| {
            (
                state.ledger.forgotten_before(),
                state.skipped.padded(window, self.hints.edges),
            )
        });
        // Nor over the edge of the lookback: a call there would not be taken up.
        let from = match window.from >= self.lookback.from {
            true => padded.from.max(self.lookback.from),
            false => padded.from,
        };
        let asked = Window {
            from: from.max(forgotten_before),
            to: padded.to,
        };
        (asked.from <= asked.to).then_some(asked)
    }

    /// The part of a window of which a reading shows every call, whether its bounds are listed or
    /// not.
    fn proven(&self, window: Window) -> Option<Window> {
        plan::proven(self.asked(window)?)
    }

    /// Learns whether calls at the bounds of a window are listed.
    fn learn_edges(&mut self, asked: Window, seen: &CallSet) {
        let edges = self.state(|state| {
            [asked.from, asked.to].map(|at| state.ledger.is_any_listed(at, |id| seen.contains(&id)))
        });
        for (known, found) in self.hints.edges.iter_mut().zip(edges) {
            *known = match (*known, found) {
                (_, Some(true)) => Some(true),
                (None, Some(false)) => Some(false),
                // It was, and is not: the call is gone, or the vendor has changed.
                (Some(true), Some(false)) => None,
                (known, _) => known,
            };
        }
    }

    /// Checkpoint what a complete reading did not show, once a second one agrees.
    async fn settle(&mut self, window: Window, seen: &CallSet) -> Result<(), Failure> {
        let Some(proven) = self.proven(window) else {
            return Ok(());
        };
        let absent = self.state(|state| state.ledger.absent(proven, |id| seen.contains(&id)));
        if absent.is_empty() {
            return Ok(());
        }
        for window in self.cover(&absent) {
            self.confirm_absent(window, |id| seen.contains(&id)).await?;
        }
        Ok(())
    }

    /// Reads a padded window once more, and marks the calls in it that neither this nor the
    /// reading before listed.
    pub(super) async fn confirm_absent(
        &mut self,
        padded: Window,
        was_listed: impl Fn(CallId) -> bool,
    ) -> Result<(), Failure> {
        let Some(inside) = plan::proven(padded) else {
            return Ok(());
        };
        match self.read_to_end(inside, None).await {
            Ok(Reading {
                seen,
                outcome: Outcome::Complete,
                ..
            }) => {
                if let Some(proven) = self.proven(inside) {
                    let is_listed = |id| was_listed(id) || seen.contains(&id);
                    self.state(|state| state.mark_missing(proven, is_listed));
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(failure) if may_be_local(&failure) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Reads what can be read of a window, page by page, and steps over the rest. Answers whether
    /// all of it could be read.
    pub(super) async fn step_through(
        &mut self,
        window: Window,
        reason: &str,
    ) -> Result<bool, Failure> {
        self.probe_edges().await?;
        // Without the seconds beside it: a row there may be what cannot be read.
        let padded = self.hints.padding(window);
        let is_known = self.hints.edges.iter().all(Option::is_some);
        if !is_known {
            self.read_pages(window).await?;
        }
        if self.read_pages(padded).await? {
            return Ok(true);
        }
        let skipped = Window {
            from: window.from.saturating_sub(pad(self.hints.edges[0])),
            to: window.to.saturating_add(pad(self.hints.edges[1])),
        };
        self.unproven("unreadable", skipped, reason);
        self.state(|state| state.change_skipped(|all| all.add(skipped, self.now, reason)));
        Ok(false)
    }

    /// Finds out by a call that is known whether the bounds of a window are listed, so that a
    /// second can be read without those beside it.
    async fn probe_edges(&mut self) -> Result<(), Failure> {
        if self.hints.edges.iter().all(Option::is_some) {
            return Ok(());
        }
        let known = self.state(|state| {
            let skipped = &state.skipped;
            let is_free = |at: UnixSeconds| (at - 1..=at + 1).all(|at| !skipped.contains(at));
            state.ledger.find_listed(self.lookback, is_free)
        });
        let Some((at, id)) = known else {
            return Ok(());
        };
        for (from, to, edges) in [
            (at, at, [true, true]),
            (at, at + 1, [true, false]),
            (at - 1, at, [false, true]),
        ] {
            let request = PageRequest {
                window: Window { from, to },
                filter: Filter::All,
                page: 1,
                limit: MIN_LIMIT,
            };
            match self
                .inner
                .upstream
                .page(request)
                .await
                .map_err(Failure::from)
            {
                Ok(page) => {
                    self.applied.apply(self.inner, &page);
                    if page.records.iter().any(|record| record.id == id) {
                        self.hints.edges = edges.map(Some);
                        return Ok(());
                    }
                }
                Err(failure) if may_be_local(&failure) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        self.hints.edges = [Some(false); 2];
        Ok(())
    }

    /// Reads a window in the smallest pages, and steps over those that fail. Answers whether none
    /// did.
    async fn read_pages(&mut self, window: Window) -> Result<bool, Failure> {
        let (mut failed, mut in_a_row) = (0, 0);
        for page in 1..=MAX_SINGLE_PAGES {
            let request = PageRequest {
                window,
                filter: Filter::All,
                page,
                limit: MIN_LIMIT,
            };
            match self
                .inner
                .upstream
                .page(request)
                .await
                .map_err(Failure::from)
            {
                Ok(found) if found.is_empty() => {
                    // Calls that are known, and a total that promises them.
                    let known = self.state(|state| state.ledger.count_present(window));
                    failed += u32::from(page == 1 && known > 0 && found.total > Some(0));
                    break;
                }
                Ok(page) => {
                    in_a_row = 0;
                    self.applied.apply(self.inner, &page);
                }
                Err(failure) if may_be_local(&failure) => {
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

    fn warn_of_total(&mut self, window: Window, pass: &Pass) {
        let total = pass.total.unwrap_or_default();
        let excess = total.abs_diff(pass.rows);
        let what = format!("the vendor's total is off by {excess}");
        self.unproven("total", window, &what);
    }

    /// Counts a part of the list that was taken without proof, and warns of it once.
    fn unproven(&mut self, reason: &'static str, window: Window, what: &str) {
        self.inner.metrics.unproven(reason);
        if self.hints.warned != what {
            self.hints.warned = what.to_owned();
            warn!(target = %self.inner.settings.name, from = window.from, to = window.to, reason,
                "a part of the list could not be proved complete: {what}");
        }
    }
}

/// Where it is not known whether a bound is listed, the second next to it may be.
fn pad(is_listed: Option<bool>) -> UnixSeconds {
    UnixSeconds::from(is_listed.is_none())
}

pub(super) fn kind(failure: &Failure) -> Option<ErrorKind> {
    match failure {
        Failure::Upstream(error) => Some(error.kind),
        _ => None,
    }
}

/// Whether a failure may come from what was asked for, so that another window may be readable.
pub(super) fn may_be_local(failure: &Failure) -> bool {
    !matches!(
        kind(failure),
        None | Some(
            ErrorKind::Auth
                | ErrorKind::RateLimit
                | ErrorKind::Connect
                | ErrorKind::Timeout
                | ErrorKind::Unavailable
        )
    )
}

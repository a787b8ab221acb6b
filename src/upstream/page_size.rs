//! Chooses the `limit` of a page and decides whether a page is full. Pure.
//!
//! The vendor's documentation does not say whether `limit` counts calls or groups, nor whether a
//! large one is clamped or refused, so both are learned from the pages.

use std::collections::BTreeSet;

use super::{ErrorKind, Page};

/// A refused limit is halved down to this.
pub const MIN_LIMIT: u32 = 10;
/// Lists read at a reduced limit before a doubled one is tried. Doubles each time that is refused.
const FIRST_PATIENCE: u32 = 8;
const MAX_PATIENCE: u32 = 512;

/// The limit in use, and what pages have shown about it.
#[derive(Debug)]
pub struct PageSize {
    configured: u32,
    current: u32,
    /// Lists read since the limit last changed.
    accepted: u32,
    patience: u32,
    /// Every limit was refused, so the cause is something else; until one is accepted.
    refusals_are_unrelated: bool,
    /// A failure may be caused by the limit, since other requests succeed.
    pub(crate) doubt_failures: bool,
    /// Refused limits that were logged.
    logged: BTreeSet<u32>,
    /// Rows and groups of the largest page so far, each.
    largest: (u64, u32),
    /// Rows and groups of a page that was smaller than its limit but not the last.
    clamp: Option<(u64, u32)>,
}

impl PageSize {
    pub fn new(configured: u32) -> Self {
        Self {
            configured,
            current: configured,
            accepted: 0,
            patience: FIRST_PATIENCE,
            refusals_are_unrelated: false,
            doubt_failures: false,
            logged: BTreeSet::new(),
            largest: (0, 0),
            clamp: None,
        }
    }

    /// The limit in use.
    pub fn get(&self) -> u32 {
        self.current
    }

    /// Rows per page in practice, for estimates.
    pub fn rows(&self) -> u64 {
        let limit = u64::from(self.current);
        self.clamp.map_or(limit, |(rows, _)| rows.min(limit)).max(1)
    }

    /// The limit for the next list. A reduced limit is doubled from time to time, so that a period
    /// of unrelated refusals does not slow down everything after it.
    pub(super) fn next(&self) -> u32 {
        if self.current < self.configured && self.accepted >= self.patience {
            self.current.saturating_mul(2).min(self.configured)
        } else {
            self.current
        }
    }

    /// A request with this limit succeeded.
    pub(super) fn accept(&mut self, limit: u32) {
        self.refusals_are_unrelated = false;
        self.doubt_failures = false;
        if limit > self.current {
            // The refusals are over: try the next step soon.
            self.patience = 1;
        }
        self.accepted = match limit == self.current {
            true => self.accepted.saturating_add(1),
            false => 0,
        };
        self.current = limit;
    }

    /// The limit to try after a failure; `None` if the failure has another cause.
    pub(super) fn after_failure(&mut self, limit: u32, kind: ErrorKind) -> Option<u32> {
        if limit > self.current {
            // An attempt to raise the limit failed for any reason.
            self.accepted = 0;
            self.patience = (self.patience.max(FIRST_PATIENCE) * 2).min(MAX_PATIENCE);
            return Some(self.current);
        }
        if kind != ErrorKind::BadRequest && !(self.doubt_failures && kind.may_be_limit()) {
            return None;
        }
        if limit <= MIN_LIMIT {
            self.refusals_are_unrelated = true;
            return None;
        }
        // If the last list was refused at every limit, try only the smallest for this one.
        match self.refusals_are_unrelated {
            true => Some(MIN_LIMIT),
            false => Some((limit / 2).max(MIN_LIMIT)),
        }
    }

    /// Whether the refusal of this limit has not been logged yet.
    pub(super) fn is_new_refusal(&mut self, limit: u32) -> bool {
        self.logged.insert(limit)
    }

    /// Whether another page may follow.
    pub(super) fn is_full(&self, limit: u32, page: &Page) -> bool {
        let limit = (u64::from(limit), limit);
        let (rows, groups) = self.clamp.map_or(limit, |(rows, groups)| {
            (rows.min(limit.0), groups.min(limit.1))
        });
        page.rows() >= rows || page.groups >= groups
    }

    /// Whether pages have been seen that are more than `times` as large, so that this one is not full.
    pub(super) fn has_seen_larger(&self, page: &Page, times: u32) -> bool {
        page.rows() * u64::from(times) < self.largest.0
            && page.groups.saturating_mul(times) < self.largest.1
    }

    pub(super) fn observe(&mut self, page: &Page) {
        let (rows, groups) = self.largest;
        self.largest = (rows.max(page.rows()), groups.max(page.groups));
        let is_exceeded = |(rows, groups)| page.rows() > rows && page.groups > groups;
        if self.clamp.is_some_and(is_exceeded) {
            self.clamp = None;
        }
    }

    /// A page of this size was not the last although it was not full: the vendor clamps the limit.
    pub(super) fn observe_clamp(&mut self, rows: u64, groups: u32) {
        self.clamp = Some((rows, groups));
        self.largest = (rows, groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_limit_is_halved_and_restored_after_the_refusals_end() {
        let mut size = PageSize::new(1000);
        let mut limit = size.next();
        for smaller in [500, 250, 125] {
            limit = size.after_failure(limit, ErrorKind::BadRequest).unwrap();
            assert_eq!(limit, smaller);
        }
        size.accept(limit);
        let mut tried = Vec::new();
        for _ in 0..40 {
            let limit = size.next();
            if limit != size.get() {
                tried.push(limit);
            }
            size.accept(limit);
        }
        assert_eq!(tried, [250, 500, 1000]);
        assert_eq!(size.get(), 1000);
    }

    #[test]
    fn a_limit_that_stays_refused_is_tried_less_and_less_often() {
        let mut size = PageSize::new(100);
        size.accept(50);
        let mut attempts = 0;
        for _ in 0..4000 {
            let limit = size.next();
            if limit > 50 {
                attempts += 1;
                assert_eq!(size.after_failure(limit, ErrorKind::BadRequest), Some(50));
            }
            size.accept(50);
        }
        assert!((5..16).contains(&attempts), "{attempts}");
    }

    #[test]
    fn refusals_at_every_limit_are_not_caused_by_the_limit() {
        let mut size = PageSize::new(40);
        assert_eq!(size.after_failure(40, ErrorKind::BadRequest), Some(20));
        assert_eq!(size.after_failure(20, ErrorKind::BadRequest), Some(10));
        assert_eq!(size.after_failure(10, ErrorKind::BadRequest), None);
        assert_eq!(size.after_failure(40, ErrorKind::BadRequest), Some(10));
        assert_eq!(size.after_failure(10, ErrorKind::BadRequest), None);
        assert_eq!(size.get(), 40);
        size.accept(40);
        assert_eq!(size.after_failure(40, ErrorKind::BadRequest), Some(20));
        assert_eq!(size.after_failure(40, ErrorKind::Server), None);
        size.doubt_failures = true;
        assert_eq!(size.after_failure(40, ErrorKind::Server), Some(20));
        assert_eq!(size.after_failure(40, ErrorKind::Timeout), Some(20));
        assert_eq!(size.after_failure(40, ErrorKind::RateLimit), None);
    }
}

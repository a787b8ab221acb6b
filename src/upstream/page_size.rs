//! How many rows to ask for a page, and which page is full. Pure.
//!
//! The vendor does not say whether `limit` counts calls or groups, nor whether a large one is
//! clamped or refused, so both are learned from the pages themselves.

use super::{ErrorKind, Page};

/// A smaller limit than this is no longer worth a try.
pub const MIN_LIMIT: u32 = 10;
/// Lists read at a reduced limit before twice as much is tried; doubles each time it is refused.
const FIRST_PATIENCE: u32 = 8;
const MAX_PATIENCE: u32 = 512;

/// The limit in use, and what the pages of this vendor have shown of it.
#[derive(Debug)]
pub struct PageSize {
    configured: u32,
    current: u32,
    /// Lists read since the limit last changed.
    accepted: u32,
    patience: u32,
    /// Every limit was refused: that was about something else, until one is accepted.
    innocent: bool,
    /// A 500 may be about the limit too: the vendor answers other requests.
    pub(crate) doubt_server_errors: bool,
    /// Rows and groups of the largest page so far.
    largest: (u64, u32),
    /// Rows and groups of a page that was smaller than its limit and yet not the last.
    clamp: Option<(u64, u32)>,
}

impl PageSize {
    /// Starts from the configured size.
    pub fn new(rows: u32) -> Self {
        Self {
            configured: rows,
            current: rows,
            accepted: 0,
            patience: FIRST_PATIENCE,
            innocent: false,
            doubt_server_errors: false,
            largest: (0, 0),
            clamp: None,
        }
    }

    /// The size that is in use.
    pub fn get(&self) -> u32 {
        self.current
    }

    /// Rows that a page holds in practice, for estimates.
    pub fn rows(&self) -> u64 {
        let limit = u64::from(self.current);
        self.clamp.map_or(limit, |(rows, _)| rows.min(limit)).max(1)
    }

    /// The limit for the next list. A reduced one is tried larger now and then: a spell of
    /// unrelated refusals must not slow down everything after it.
    pub(super) fn next(&self) -> u32 {
        if self.current < self.configured && self.accepted >= self.patience {
            self.current.saturating_mul(2).min(self.configured)
        } else {
            self.current
        }
    }

    /// A page of this limit came.
    pub(super) fn accept(&mut self, limit: u32) {
        self.innocent = false;
        self.doubt_server_errors = false;
        if limit > self.current {
            // The next step up may follow soon: this one shows that the refusals are over.
            self.patience = 1;
        }
        if limit == self.current {
            self.accepted = self.accepted.saturating_add(1);
        } else {
            self.accepted = 0;
        }
        self.current = limit;
    }

    /// The limit to try after this one failed; `None` if the failure is about something else.
    pub(super) fn after_failure(&mut self, limit: u32, kind: ErrorKind) -> Option<u32> {
        let may_be_the_limit = match kind {
            ErrorKind::BadRequest => true,
            ErrorKind::Server => self.doubt_server_errors,
            _ => false,
        };
        if limit > self.current {
            // A step up that failed, for whatever reason.
            self.accepted = 0;
            self.patience = (self.patience.max(FIRST_PATIENCE) * 2).min(MAX_PATIENCE);
            return Some(self.current);
        }
        if !may_be_the_limit {
            return None;
        }
        if limit <= MIN_LIMIT {
            self.innocent = true;
            return None;
        }
        // The window was refused at every limit, and this one may be refused for its limit too.
        let smaller = if self.innocent { 0 } else { limit / 2 };
        Some(smaller.max(MIN_LIMIT))
    }

    /// Whether a page may have another behind it.
    pub(super) fn is_full(&self, limit: u32, page: &Page) -> bool {
        let limit = (u64::from(limit), limit);
        let (rows, groups) = self.clamp.map_or(limit, |(rows, groups)| {
            (rows.min(limit.0), groups.min(limit.1))
        });
        page.rows() >= rows || page.groups >= groups
    }

    /// Whether larger pages than this one have come, so that it has room left.
    pub(super) fn has_seen_larger(&self, page: &Page) -> bool {
        page.rows() < self.largest.0 && page.groups < self.largest.1
    }

    /// Notes the size of a page.
    pub(super) fn observe(&mut self, page: &Page) {
        let (rows, groups) = self.largest;
        self.largest = (rows.max(page.rows()), groups.max(page.groups));
        let outgrown = |(rows, groups)| page.rows() > rows && page.groups > groups;
        if self.clamp.is_some_and(outgrown) {
            self.clamp = None;
        }
    }

    /// A page that seemed to be the last one was not: this is how large pages are.
    pub(super) fn observe_clamp(&mut self, rows: u64, groups: u32) {
        self.clamp = Some((rows, groups));
        self.largest = (rows, groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_limit_is_halved_and_grows_back_when_the_refusals_are_over() {
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
    fn a_vendor_that_keeps_refusing_is_asked_ever_more_seldom() {
        let mut size = PageSize::new(100);
        size.accept(50);
        let mut tries = 0;
        for _ in 0..4000 {
            let limit = size.next();
            if limit > 50 {
                tries += 1;
                assert_eq!(size.after_failure(limit, ErrorKind::BadRequest), Some(50));
            }
            size.accept(50);
        }
        assert!((5..16).contains(&tries), "{tries}");
    }

    #[test]
    fn refusals_that_no_limit_cures_are_not_about_the_limit() {
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
        size.doubt_server_errors = true;
        assert_eq!(size.after_failure(40, ErrorKind::Server), Some(20));
        assert_eq!(size.after_failure(40, ErrorKind::Timeout), None);
    }
}

//! One reading of a list, and whether it proves that the list was read completely. Pure.

use std::collections::HashSet;

use crate::model::{CallId, CallSet, UnixSeconds, Window};
use crate::upstream::Page;
use crate::upstream::page_size::PageSize;

/// Limit on remembered calls that are listed more than once.
const MAX_REPEATED: usize = 10_000;

/// What earlier lists of a target have shown, so that each peculiarity is investigated only once.
#[derive(Debug)]
pub struct ListHints {
    pub size: PageSize,
    /// Difference between total and rows when two passes agreed on the calls.
    excess: Option<i64>,
    /// Calls that two passes in agreement listed more than once.
    repeated: CallSet,
    /// Whether the total counts unusable rows.
    pub(super) counts_unusable: bool,
}

impl ListHints {
    pub fn new(page_size: u32) -> Self {
        Self {
            size: PageSize::new(page_size),
            excess: None,
            repeated: CallSet::default(),
            counts_unusable: false,
        }
    }

    /// Whether totals were found to be wrong.
    pub fn distrusts_totals(&self) -> bool {
        self.excess.is_some()
    }

    /// Accepts the peculiarities of a list as facts, after two passes agreed.
    pub fn learn(&mut self, pass: &Pass) {
        if let Some(total) = pass.total_of_window().filter(|_| pass.pages > 0) {
            self.excess = Some(excess(total, pass.rows)).filter(|excess| *excess != 0);
        }
        if self.repeated.len() + pass.repeated.len() > MAX_REPEATED {
            self.repeated.clear();
        }
        self.repeated.extend(&pass.repeated);
    }
}

fn excess(total: u64, rows: u64) -> i64 {
    i64::try_from(total).unwrap_or(i64::MAX) - i64::try_from(rows).unwrap_or(i64::MAX)
}

/// How the reading of a list ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum End {
    /// With a page that is empty or not full.
    Reached,
    /// At a page of older calls than requested, of a list with the newest first.
    Beyond,
    /// With an empty page after many full ones: the vendor may not serve deeper pages.
    Deep,
    /// The list repeated the same calls: the vendor may answer so instead of serving deeper pages.
    Circular,
    /// The caller stopped.
    #[default]
    Stopped,
}

/// One reading of a list from its first page.
#[derive(Debug, Default)]
pub struct Pass {
    /// The calls on its pages.
    pub seen: CallSet,
    /// Calls on rows without a usable upload time.
    undated: Vec<CallId>,
    /// Rows, including unusable and repeated ones.
    pub rows: u64,
    /// Rows uploaded outside of the requested window: the vendor ignores one of its bounds.
    pub outside: u64,
    /// Upload time of the last row.
    last: Option<UnixSeconds>,
    /// A row is newer than the one before.
    is_unsorted: bool,
    /// The total on the last page that had one.
    pub total: Option<u64>,
    pub end: End,
    /// Pages with rows.
    pub pages: u32,
    pub(super) unusable: u64,
    groups: u64,
    /// The total changed between two pages.
    total_changed: bool,
    /// Calls on more than one row.
    repeated: HashSet<CallId>,
}

/// What a pass proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It contains every call of the list.
    Complete,
    /// The list changed while it was read, or contradicts its total: read it again.
    Doubtful,
    /// The list cannot be read to its end in one pass.
    Cut,
}

/// The vendor's total compared with the rows read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Total {
    Absent,
    Agrees,
    More,
    Fewer,
}

impl Pass {
    pub(super) fn add_total(&mut self, total: Option<u64>) {
        self.total_changed |= self.pages > 0 && total != self.total;
        self.total = total.or(self.total);
    }

    /// Adds the rows of a page; returns whether it has new calls or unusable rows alone.
    pub(super) fn add_rows(&mut self, page: &Page, window: Window) -> bool {
        let before = self.seen.len();
        for record in &page.records {
            self.outside += u64::from(!window.contains(record.uploaded));
            self.is_unsorted |= self.last.is_some_and(|last| last < record.uploaded);
            self.last = Some(record.uploaded);
            if !self.seen.insert(record.id) {
                self.repeated.insert(record.id);
            }
        }
        self.undated.extend(&page.undated);
        self.pages += 1;
        self.rows += page.rows();
        self.unusable += page.unusable();
        self.groups += u64::from(page.groups);
        self.seen.len() > before || page.records.is_empty()
    }

    /// All calls that are listed.
    pub fn into_listed(self) -> CallSet {
        let mut listed = self.seen;
        listed.extend(self.undated);
        listed
    }

    /// Rows that may be any call: they have no identity.
    pub fn unidentified(&self) -> u64 {
        self.unusable - self.undated.len() as u64
    }

    /// Rows that may lie in the requested window.
    pub fn inside(&self) -> u64 {
        self.rows - self.outside
    }

    /// Whether the list is sorted with the newest call first, and this page lies before the window.
    pub(super) fn is_beyond(&self, page: &Page, window: Window) -> bool {
        let mut records = page.records.iter();
        !self.is_unsorted
            && !page.records.is_empty()
            && records.all(|record| record.uploaded < window.from)
    }

    /// Whether a page has calls, and each of them was on an earlier one.
    pub(super) fn has_all(&self, page: &Page) -> bool {
        let mut records = page.records.iter();
        !page.records.is_empty() && records.all(|record| self.seen.contains(&record.id))
    }

    /// Whether the total is the number of groups.
    pub(super) fn counts_groups(&self) -> bool {
        self.total == Some(self.groups)
    }

    /// What this pass proves by itself.
    pub fn verdict(&self, hints: &ListHints) -> Verdict {
        if !self.has_ended() {
            return Verdict::Cut;
        }
        // A single page is a snapshot.
        if self.pages == 1 || (self.pages == 0 && self.compare_total(hints) != Total::More) {
            return Verdict::Complete;
        }
        let has_new_repeats = self.repeated.iter().any(|id| !hints.repeated.contains(id));
        match self.compare_total(hints) {
            _ if self.total_changed || has_new_repeats => Verdict::Doubtful,
            Total::Absent | Total::Agrees => Verdict::Complete,
            Total::Fewer if self.counts_groups() => Verdict::Complete,
            Total::More | Total::Fewer => Verdict::Doubtful,
        }
    }

    /// Whether the total contradicts the rows in a way that is not known yet.
    pub fn contradicts_total(&self, hints: &ListHints) -> bool {
        matches!(self.compare_total(hints), Total::More | Total::Fewer)
    }

    /// Whether both passes read the list to its end and saw the same calls.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.has_ended() && other.has_ended() && self.seen == other.seen
    }

    fn has_ended(&self) -> bool {
        matches!(self.end, End::Reached | End::Beyond)
    }

    /// The total; `None` if the list goes on beyond the window, because it then counts other calls too.
    fn total_of_window(&self) -> Option<u64> {
        self.total.filter(|_| self.end != End::Beyond)
    }

    pub(super) fn compare_total(&self, hints: &ListHints) -> Total {
        let Some(total) = self.total_of_window() else {
            return Total::Absent;
        };
        let distinct = self.seen.len() as u64;
        let usable = self.rows - self.unusable;
        // The total may count rows or calls, with or without unusable rows.
        let counts_usable = [distinct, usable].contains(&total);
        let counts_all = [self.rows, distinct + self.unusable].contains(&total);
        if counts_usable
            || (counts_all && hints.counts_unusable)
            || hints.excess == Some(excess(total, self.rows))
        {
            Total::Agrees
        } else if total > usable {
            Total::More
        } else {
            Total::Fewer
        }
    }
}

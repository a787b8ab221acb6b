//! What pulls learn about a target. It saves requests, proves nothing, and is lost at a restart.

use std::collections::HashMap;

use super::backoff::Delays;
use super::gap_read::GapRead;
use super::plan::Reconcile;
use crate::model::{CallId, UnixSeconds, Window};
use crate::upstream::Page;
use crate::upstream::pages::ListHints;

/// Pages of the largest slice of a comparison.
pub(super) const MAX_RECONCILE_PAGES: u64 = 10;
/// How often in a row to look for a pending call that the filtered list omits. After that it waits.
const MAX_LOOKS: u32 = 3;
/// How long it then waits before it looks again: the filtered list may work by then.
const LOOK_DELAYS: Delays = Delays {
    first: 15,
    longest: 900,
};
/// Rows below which a failing page has another reason than its depth.
const MIN_DEPTH: u64 = 1000;
/// Windows read before a width or depth that was refused is tried again.
const READS_TO_GROW: u32 = 1000;
/// Seconds. A vendor that refuses even shorter windows refuses something else.
pub(super) const MIN_WIDTH: UnixSeconds = 60;

/// Most sweeps during which a total that raised false alarms is ignored.
const MAX_IGNORED: u32 = 64;

/// How often a call was looked for in vain, and when it is again; `None` leaves it to the comparison of
/// the lookback.
#[derive(Clone, Copy, Debug)]
struct Looks {
    count: u32,
    next: Option<UnixSeconds>,
}

#[derive(Debug)]
pub(super) struct ScanHints {
    /// Page size, and known contradictions of the list.
    pub(super) list: ListHints,
    pub(super) recent: RecentHints,
    /// Seconds of the next slice of a gap.
    pub(super) span: UnixSeconds,
    /// Seconds of the widest window that the vendor accepts.
    pub(super) width: UnixSeconds,
    /// Rows of a list beyond which the vendor serves no page.
    pub(super) depth: u64,
    /// Windows read since width or depth was last reduced.
    reads_since_cut: u32,
    /// Whether the first and the last second of a window are inclusive, if known.
    pub(super) edges: [Option<bool>; 2],
    /// Upload times have fractions.
    pub(super) has_fractions: bool,
    /// The window that was read last.
    pub(super) readable: Option<Window>,
    /// Upload time of the pending call with which the next pull starts.
    pub(super) pending_from: UnixSeconds,
    /// Pending calls that the filtered list omits.
    unlisted: HashMap<CallId, Looks>,
    /// The filtered list could not be read the last time.
    filter_fails: bool,
    /// The gap that is being read.
    pub(super) gap: Option<GapRead>,
    pub(super) reconcile: Option<Reconcile>,
    pub(super) reconcile_pages: u64,
    /// Slices of a comparison in a row that scrapes interrupted.
    pub(super) interruptions: u32,
    /// The last warning about the list, to log it once.
    pub(super) warned: String,
}

impl ScanHints {
    pub(super) fn new(page_size: u32) -> Self {
        Self {
            list: ListHints::new(page_size),
            recent: RecentHints::default(),
            span: UnixSeconds::MAX,
            width: UnixSeconds::MAX,
            depth: u64::MAX,
            reads_since_cut: 0,
            edges: [None; 2],
            has_fractions: false,
            readable: None,
            pending_from: 0,
            unlisted: HashMap::new(),
            filter_fails: false,
            gap: None,
            reconcile: None,
            reconcile_pages: MAX_RECONCILE_PAGES,
            interruptions: 0,
            warned: String::new(),
        }
    }

    /// The vendor accepted a window of this width after refusing wider ones.
    pub(super) fn narrowed_to(&mut self, width: UnixSeconds) {
        self.width = width.max(MIN_WIDTH);
        self.reads_since_cut = 0;
    }

    /// The vendor served no page beyond this number of rows.
    pub(super) fn cut_at(&mut self, rows: u64) {
        self.depth = rows.max(MIN_DEPTH);
        self.reads_since_cut = 0;
    }

    /// Counts a window that was read. After many, a larger width and depth are tried again.
    pub(super) fn count_read(&mut self) {
        self.reads_since_cut = self.reads_since_cut.saturating_add(1);
        if self.reads_since_cut >= READS_TO_GROW {
            self.width = self.width.saturating_mul(2);
            self.depth = self.depth.saturating_mul(2);
            self.reads_since_cut = 0;
        }
    }

    /// Whether to look for a pending call that the filtered list omits.
    pub(super) fn is_worth_looking_for(&self, id: CallId, now: UnixSeconds) -> bool {
        let is_due = |next| next <= now || LOOK_DELAYS.is_beyond(next, now);
        let looks = self.unlisted.get(&id);
        looks.is_none_or(|looks| looks.next.is_some_and(is_due))
    }

    /// A call that the filtered list omits was looked for and is still pending. `is_filtered` says that
    /// its status is one of those that the list is filtered by.
    pub(super) fn count_futile_look(&mut self, id: CallId, now: UnixSeconds, is_filtered: bool) {
        let before = self.unlisted.get(&id).map_or(0, |looks| looks.count);
        let count = before.saturating_add(1);
        let next = match count.checked_sub(MAX_LOOKS) {
            None => Some(now),
            Some(more) if is_filtered => Some(now.saturating_add(LOOK_DELAYS.after(more))),
            Some(_) => None,
        };
        self.unlisted.insert(id, Looks { count, next });
    }

    /// The filtered list was read, or not. What it omitted before it could be read again says nothing.
    pub(super) fn note_filter(&mut self, fails: bool) {
        if self.filter_fails && !fails {
            self.unlisted.clear();
        }
        self.filter_fails = fails;
    }

    /// Keeps the omitted calls for which `keep` holds.
    pub(super) fn keep_unlisted(&mut self, keep: impl Fn(CallId) -> bool) {
        self.unlisted.retain(|id, _| keep(*id));
    }

    /// Remembers which bounds are inclusive.
    pub(super) fn set_edges(&mut self, [first, last]: [Option<bool>; 2]) {
        // An inclusive bound excludes the fractions of its second.
        let last = if self.has_fractions {
            Some(false)
        } else {
            last
        };
        self.edges = [first, last];
    }

    /// Widens a window just enough that its own first and last second are listed.
    pub(super) fn pad(&self, window: Window) -> Window {
        window.pad(self.edges.map(|edge| (edge != Some(true)).into()))
    }
}

/// What earlier pulls learned about the recent window.
#[derive(Debug, Default)]
pub(super) struct RecentHints {
    /// Whether pages show the latest upload first.
    pub(super) newest_first: bool,
    /// By how much the total exceeded the known calls when the overlap was last read to its end.
    excess: i64,
    /// Sweeps until totals are trusted again, and how many that were the last time.
    pub(super) ignored_for: u32,
    last_ignored: u32,
}

impl RecentHints {
    /// Learns the order of a list from a page.
    pub(super) fn observe(&mut self, page: &Page) {
        let times = || page.records.iter().map(|record| record.uploaded);
        if let (Some(first), Some(last)) = (times().next(), times().next_back())
            && first != last
        {
            self.newest_first = times().rev().is_sorted();
        }
    }

    pub(super) fn swept(&mut self, excess: i64) {
        self.excess = excess;
        self.ignored_for = self.ignored_for.saturating_sub(1);
    }

    /// The total announced new calls, and the sweep found none.
    pub(super) fn false_alarm(&mut self) {
        self.last_ignored = (self.last_ignored * 2).clamp(1, MAX_IGNORED);
        self.ignored_for = self.last_ignored;
    }

    pub(super) fn is_alarm(&self, excess: i64) -> bool {
        self.ignored_for == 0 && excess != self.excess
    }
}

//! What pulls learn about the recent window.

use crate::upstream::Page;

/// Most sweeps during which a total that raised false alarms is ignored.
const MAX_IGNORED: u32 = 64;

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

//! A set that remembers the latest insertions, in bounded memory.

use std::collections::HashSet;

/// Entries of one generation; up to twice as many are remembered.
const GENERATION: usize = 1 << 16;

/// Remembers at least the latest 65,536 values, and at most twice as many.
#[derive(Default)]
pub(super) struct RecentSet {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl RecentSet {
    /// Whether the value was not remembered. A value that is seen again stays.
    pub(super) fn insert(&mut self, value: u64) -> bool {
        if !self.young.insert(value) {
            return false;
        }
        let is_new = !self.old.contains(&value);
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_again_stays_and_memory_is_bounded() {
        let mut set = RecentSet::default();
        assert!(set.insert(u64::MAX) && !set.insert(u64::MAX));
        for value in 0..5 * GENERATION as u64 {
            assert!(set.insert(value));
            assert!(!set.insert(u64::MAX));
            assert!(set.young.len() + set.old.len() <= 2 * GENERATION);
        }
        assert!(set.insert(0), "forgotten long ago");
    }
}

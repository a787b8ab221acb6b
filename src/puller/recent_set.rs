//! A set of recent values with bounded memory.

use std::collections::HashSet;

/// Values of one generation.
const GENERATION: usize = 1 << 16;

/// Remembers the latest 65,536 values at least, and twice as many at most.
#[derive(Default)]
pub(super) struct RecentSet {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl RecentSet {
    /// Inserts a value. Returns whether it is new. Inserting it again keeps it in the set.
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
    fn values_seen_again_stay_and_the_size_is_limited() {
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

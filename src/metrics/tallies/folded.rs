//! Counts the distinct labels that are folded into `other`.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

/// Most hashes that are kept. With more, the number is a lower bound.
const MAX: usize = 1 << 16;

/// Hashes of what is counted together, since the start of the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Folded {
    pub(super) fn insert(&mut self, what: impl Hash) {
        if self.hashes.len() < MAX {
            self.hashes.insert(self.hasher.hash_one(what));
        }
    }

    pub(super) fn clear(&mut self) {
        self.hashes.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }
}

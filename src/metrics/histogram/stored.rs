//! A histogram read from disk: checked, and converted from the units and buckets of older builds.

use serde::Deserialize;

use super::Histogram;
use crate::metrics::native::NativeBuckets;
use crate::model::Measure;

#[derive(Deserialize)]
pub(super) struct StoredHistogram {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum_billionths: Option<u128>,
    /// The sum in millionths, in files of builds before 0.1.0.
    sum: Option<u128>,
    #[serde(default)]
    native: NativeBuckets,
}

const BILLIONTHS_PER_MILLIONTH: u128 = 1000;

impl TryFrom<StoredHistogram> for Histogram {
    type Error = &'static str;

    fn try_from(stored: StoredHistogram) -> Result<Self, Self::Error> {
        let from_millionths = || stored.sum?.checked_mul(BILLIONTHS_PER_MILLIONTH);
        Ok(Self {
            bounds: stored.bounds.into(),
            counts: stored.counts,
            sum_billionths: (stored.sum_billionths)
                .or_else(from_millionths)
                .ok_or("a histogram without a sum")?,
            native: stored.native,
            exemplars: Vec::new(),
        })
    }
}

impl Histogram {
    /// Continues a stored histogram with these buckets. Returns `false` if it is not valid.
    ///
    /// Native buckets may be missing (older builds did not store them) or have another count (such a
    /// build has counted since). Then the position of an old observation within its bucket is unknown:
    /// all of them are put at the upper bound, those of the infinite bucket at its lower one.
    pub fn resume(&mut self, bounds: &'static [f64]) -> bool {
        let stored = &self.bounds;
        let is_valid = stored.is_sorted_by(|a, b| a < b)
            && stored.first().is_none_or(|bound| *bound >= 0.0)
            && stored.iter().all(|bound| bound.is_finite())
            && self.counts.len() == stored.len() + 1
            && (self.counts.iter())
                .try_fold(0_u64, |sum, count| sum.checked_add(*count))
                .is_some();
        if !is_valid {
            return false;
        }
        self.restore_native();
        if *self.bounds == *bounds {
            self.bounds = bounds.into();
        } else {
            self.rebucket(bounds);
        }
        true
    }

    fn restore_native(&mut self) {
        let bounds = &self.bounds;
        if self.native.total() != Some(self.count()) {
            self.native = NativeBuckets::default();
            let last = bounds.last().copied();
            for (bound, count) in bounds.iter().copied().chain(last).zip(&self.counts) {
                if let Some(bound) = Measure::from_units(bound).filter(|_| *count > 0) {
                    self.native.add(bound, *count);
                }
            }
        }
    }

    /// Moves the counts to other buckets, if an older build had different ones.
    ///
    /// A bound that stays keeps its exact count. A new bound counts only the observations that are
    /// certainly below it, by a lower old bound or by the native buckets. So at most the observations
    /// of one native bucket, which is 9 % wide, end up in a bucket that is too high.
    fn rebucket(&mut self, bounds: &'static [f64]) {
        let old: Vec<(f64, u64)> = self.buckets().collect();
        let count = self.count();
        let mut below = 0;
        let mut counts = Vec::with_capacity(bounds.len() + 1);
        for bound in bounds {
            let lower = old.iter().rev().find(|(old, _)| old <= bound);
            let cumulative = match lower {
                Some((old, exact)) if old == bound => *exact,
                _ => {
                    // The counts of the old bounds on both sides are exact, so they limit this one.
                    let higher = old.iter().find(|(old, _)| old > bound);
                    let at_most = higher.map_or(count, |(_, exact)| *exact);
                    let native = self.native.count_at_most(*bound).min(at_most);
                    lower.map_or(native, |(_, exact)| native.max(*exact))
                }
            };
            counts.push(cumulative.saturating_sub(below));
            below = below.max(cumulative);
        }
        counts.push(count - below);
        self.bounds = bounds.into();
        self.counts = counts;
        self.exemplars.clear();
    }
}

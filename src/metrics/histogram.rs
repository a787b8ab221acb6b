//! A histogram whose sum does not depend on the order of its observations.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::Measure;

/// Counts by bucket and a sum in millionths, all integers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds of the buckets, ascending, without the last, infinite one.
    bounds: Cow<'static, [f64]>,
    /// Observations in each bucket by itself; the last is the infinite one.
    counts: Vec<u64>,
    /// Sum in millionths. 128 bits hold 10^23 observations of the largest measure.
    sum: u128,
}

impl Histogram {
    /// An empty one.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds: bounds.into(),
            counts: vec![0; bounds.len() + 1],
            sum: 0,
        }
    }

    /// Whether the buckets are these; a histogram that was kept then shares them.
    pub fn has_bounds(&mut self, bounds: &'static [f64]) -> bool {
        let same = *self.bounds == *bounds && self.counts.len() == bounds.len() + 1;
        if same {
            self.bounds = bounds.into();
        }
        same
    }

    /// Counts a value; a bound belongs to the bucket below it.
    pub fn observe(&mut self, value: Measure) {
        // Rounds to the nearest: without an instruction for it, `f64::round` takes longer than all
        // the rest here. Bounds are small and not negative.
        let above = |bound: &&f64| value.0 > (**bound * 1e6 + 0.5) as u64;
        let bucket = self.bounds.iter().take_while(above).count();
        self.counts[bucket] += 1;
        self.sum += u128::from(value.0);
    }

    /// The buckets as Prometheus wants them: upper bound and observations up to it, the last one
    /// infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().scan(0, |total, count| {
            *total += count;
            Some(*total)
        }))
    }

    /// How many values were observed.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum, in units.
    pub fn sum(&self) -> f64 {
        // Split, so that up to 2^53 whole units the result is the nearest number to the true sum.
        (self.sum / 1_000_000) as f64 + (self.sum % 1_000_000) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_and_sums_are_exact() {
        let mut histogram = Histogram::new(&[0.3, 1.0, 60.0]);
        for value in [0.0, 0.3, 0.300001, 1.0, 59.9, 60.0, 60.1, 1e9] {
            histogram.observe(Measure::from_units(value).unwrap());
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(0.3, 2), (1.0, 4), (60.0, 6), (f64::INFINITY, 8)]);
        assert_eq!(
            (histogram.count(), histogram.sum()),
            (8, 1_000_000_181.600001)
        );
        let mut tenths = Histogram::new(&[1.0]);
        (0..10).for_each(|_| tenths.observe(Measure::from_units(0.1).unwrap()));
        assert_eq!(tenths.sum(), 1.0);
    }
}

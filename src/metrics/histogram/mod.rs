//! A histogram whose sum does not depend on the order of its observations.

mod stored;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::native::NativeBuckets;
use crate::model::{CallId, Measure, UnixSeconds};
use stored::StoredHistogram;

/// Counts by bucket and a sum, all integers. Field names are the format on disk; `StoredHistogram`
/// reads it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredHistogram")]
pub struct Histogram {
    /// Upper bounds of the buckets, ascending, without the infinite one.
    bounds: Cow<'static, [f64]>,
    /// Observations per bucket, not cumulative. The last bucket is the infinite one.
    counts: Vec<u64>,
    /// Sum in billionths. 128 bits hold 10^20 observations of the largest measure.
    ///
    /// The name on disk gives the unit: a build that counts in millionths finds no `sum` and refuses
    /// the file. Otherwise it would report a sum a thousand times too large.
    pub(super) sum_billionths: u128,
    /// The same observations in native buckets.
    #[serde(skip_serializing_if = "NativeBuckets::is_empty")]
    pub(super) native: NativeBuckets,
    /// The last observation per bucket. Empty until there is one, and after a restart.
    #[serde(skip)]
    pub(super) exemplars: Vec<Option<Exemplar>>,
}

/// An observation that stands as an example for its bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exemplar {
    pub call: CallId,
    pub value: Measure,
    pub at: UnixSeconds,
}

/// The call that an observation comes from, and when it was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExemplarSource {
    pub call: CallId,
    pub at: UnixSeconds,
}

impl Histogram {
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds: bounds.into(),
            counts: vec![0; bounds.len() + 1],
            sum_billionths: 0,
            native: NativeBuckets::default(),
            exemplars: Vec::new(),
        }
    }

    /// Adds the counts of a histogram with the same buckets.
    pub(super) fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.bounds, other.bounds);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum_billionths += other.sum_billionths;
        self.native.merge(&other.native);
    }

    /// Counts a value. Upper bounds are inclusive. With a source, the value becomes the exemplar of
    /// its bucket.
    pub fn observe(&mut self, value: Measure, source: Option<ExemplarSource>) {
        // Exact, although these are floats: a bound and the quotient are both the floats nearest to a
        // decimal number, and are the same if that number is.
        let units = value.0 as f64 / Measure::PER_UNIT as f64;
        let bucket = self.bounds.partition_point(|bound| units > *bound);
        self.counts[bucket] += 1;
        self.sum_billionths += u128::from(value.0);
        self.native.add(value, 1);
        if let Some(ExemplarSource { call, at }) = source {
            self.exemplars.resize(self.counts.len(), None);
            self.exemplars[bucket] = Some(Exemplar { call, value, at });
        }
    }

    /// Upper bound and cumulative count of each bucket, the infinite one last.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().scan(0, |total, count| {
            *total += count;
            Some(*total)
        }))
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests;

//! A histogram whose sum does not depend on the order of its observations.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::native::Native;
use crate::model::{CallId, Measure, UnixSeconds};

/// Counts by bucket and a sum, all integers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Histogram {
    /// Upper bounds of the buckets, ascending, without the last, infinite one.
    bounds: Cow<'static, [f64]>,
    /// Observations in each bucket by itself; the last is the infinite one.
    counts: Vec<u64>,
    /// Sum in billionths. 128 bits hold 10^20 observations of the largest measure.
    ///
    /// The name on disk gives the unit: a build that counts in millionths finds no `sum` and
    /// refuses the file, rather than show a thousand times too much.
    #[serde(rename = "sum_billionths")]
    sum: u128,
    /// The same observations in finer buckets.
    #[serde(skip_serializing_if = "Native::is_empty")]
    native: Native,
    /// The last observation of each bucket, if such are wanted; not kept over a restart.
    #[serde(skip)]
    exemplars: Vec<Option<Exemplar>>,
}

/// A histogram as it is on disk.
#[derive(Deserialize)]
struct Stored {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum_billionths: Option<u128>,
    /// In millionths, as builds before 0.1.0 kept it.
    sum: Option<u128>,
    #[serde(default)]
    native: Native,
}

impl TryFrom<Stored> for Histogram {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let in_millionths = || stored.sum?.checked_mul(BILLIONTHS_IN_A_MILLIONTH);
        Ok(Self {
            bounds: stored.bounds.into(),
            counts: stored.counts,
            sum: (stored.sum_billionths)
                .or_else(in_millionths)
                .ok_or("a histogram without a sum")?,
            native: stored.native,
            exemplars: Vec::new(),
        })
    }
}

const BILLIONTHS_IN_A_MILLIONTH: u128 = 1000;

/// An observation as an example of its bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exemplar {
    /// Of which call.
    pub call: CallId,
    /// What was observed.
    pub value: Measure,
    /// When.
    pub at: UnixSeconds,
}

/// What an observation comes from, where examples are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// Of which call.
    pub call: CallId,
    /// When it was seen.
    pub at: UnixSeconds,
}

impl Histogram {
    /// An empty one.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds: bounds.into(),
            counts: vec![0; bounds.len() + 1],
            sum: 0,
            native: Native::default(),
            exemplars: Vec::new(),
        }
    }

    /// Goes on from what was stored, with these buckets; answers whether it is a histogram.
    ///
    /// Where the finer buckets are missing (versions before them did not keep any) or count
    /// something else (such a version has counted since), nobody knows where in its bucket an old
    /// observation was: all are put where the bucket ends, those of the infinite one where that
    /// begins.
    pub fn resume(&mut self, bounds: &'static [f64]) -> bool {
        let stored = &self.bounds;
        let is_histogram = stored.is_sorted_by(|a, b| a < b)
            && stored.first().is_none_or(|bound| *bound >= 0.0)
            && stored.iter().all(|bound| bound.is_finite())
            && self.counts.len() == stored.len() + 1
            && (self.counts.iter())
                .try_fold(0_u64, |sum, count| sum.checked_add(*count))
                .is_some();
        if !is_histogram {
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
            self.native = Native::default();
            let last = bounds.last().copied();
            for (bound, count) in bounds.iter().copied().chain(last).zip(&self.counts) {
                if let Some(bound) = Measure::from_units(bound).filter(|_| *count > 0) {
                    self.native.add(bound, *count);
                }
            }
        }
    }

    /// Moves to other buckets, which an older version may not have had.
    ///
    /// A bound that stays keeps its exact count. At a new bound only those observations count that
    /// are certainly below: by a lower old bound, or by the finer buckets. So at most those of one
    /// finer bucket, 9 % wide, are in a higher bucket than they belong to.
    fn rebucket(&mut self, bounds: &'static [f64]) {
        let old: Vec<(f64, u64)> = self.buckets().collect();
        let count = self.count();
        let mut below = 0;
        let mut counts = Vec::with_capacity(bounds.len() + 1);
        for bound in bounds {
            let exact = old.iter().rev().find(|(old, _)| old <= bound);
            let up_to = match exact {
                Some((old, exact)) if old == bound => *exact,
                _ => {
                    // Never more than at the next old bound, which is exact too.
                    let next = old.iter().find(|(old, _)| old > bound);
                    let next = next.map_or(count, |(_, next)| *next);
                    let finer = self.native.up_to(*bound).min(next);
                    exact.map_or(finer, |(_, exact)| finer.max(*exact))
                }
            };
            counts.push(up_to.saturating_sub(below));
            below = below.max(up_to);
        }
        counts.push(count - below);
        self.bounds = bounds.into();
        self.counts = counts;
        self.exemplars.clear();
    }

    /// Adds what another one with the same buckets has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.bounds, other.bounds);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
        self.native.merge(&other.native);
    }

    /// Counts a value; a bound belongs to the bucket below it. A source makes it an example.
    pub fn observe(&mut self, value: Measure, source: Option<Source>) {
        // Rounds to the nearest: without an instruction for it, `f64::round` takes longer than all
        // the rest here. Bounds are small and not negative.
        let above = |bound: &f64| value.0 > (*bound * Measure::PER_UNIT as f64 + 0.5) as u64;
        let bucket = self.bounds.partition_point(above);
        self.counts[bucket] += 1;
        self.sum += u128::from(value.0);
        self.native.add(value, 1);
        if let Some(Source { call, at }) = source {
            self.exemplars.resize(self.counts.len(), None);
            self.exemplars[bucket] = Some(Exemplar { call, value, at });
        }
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

    /// Their sum, in units: the float that is nearest to it.
    pub fn sum(&self) -> f64 {
        Measure::sum_units(self.sum)
    }

    /// The finer buckets.
    pub(super) fn native(&self) -> &Native {
        &self.native
    }

    /// An example for each bucket that has one; none at all where they are not wanted.
    pub(super) fn exemplars(&self) -> &[Option<Exemplar>] {
        &self.exemplars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[f64] = &[0.3, 1.0, 60.0];

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::new(BOUNDS);
        for value in values {
            histogram.observe(Measure::from_units(*value).unwrap(), None);
        }
        histogram
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below_and_sums_are_exact() {
        let histogram = of(&[0.0, 0.3, 0.300000001, 1.0, 60.0, 60.0000004, 60.1, 1e9]);
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(0.3, 2), (1.0, 4), (60.0, 5), (f64::INFINITY, 8)]);
        assert_eq!(
            (histogram.count(), histogram.sum()),
            (8, 1_000_000_181.700_000_4)
        );
        assert_eq!(histogram.native().total(), Some(8));
        let mut tenths = Histogram::new(&[1.0]);
        (0..10).for_each(|_| tenths.observe(Measure::from_units(0.1).unwrap(), None));
        assert_eq!(tenths.sum(), 1.0);
    }

    #[test]
    fn a_sum_of_many_values_is_right_to_its_last_digit() {
        for (value, times, sum) in [
            (164.220001, 20_000, 3_284_400.02),
            (60.0000004, 20_000, 1_200_000.008),
            (0.123456789, 20_000, 2_469.135_78),
            (3_999_999.999999999, 1000, 3_999_999_999.999999),
        ] {
            assert_eq!(of(&vec![value; times]).sum(), sum, "{value}");
        }
    }

    #[test]
    fn the_last_observation_of_a_bucket_is_its_example() {
        let mut histogram = of(&[0.1]);
        assert_eq!(histogram.exemplars(), []);
        for (call, units) in [(1, 0.5), (2, 100.0), (3, 0.7)] {
            let source = Source {
                call: CallId(call),
                at: 1000 + call as u32,
            };
            histogram.observe(Measure::from_units(units).unwrap(), Some(source));
        }
        let example = |call: u128, units| {
            Some(Exemplar {
                call: CallId(call),
                value: Measure::from_units(units).unwrap(),
                at: 1000 + call as u32,
            })
        };
        let (last, beyond) = (example(3, 0.7), example(2, 100.0));
        assert_eq!(histogram.exemplars(), [None, last, None, beyond]);
        histogram.observe(Measure::whole(1), None);
        assert_eq!(histogram.exemplars(), [None, last, None, beyond]);
    }

    #[test]
    fn a_sum_is_kept_in_billionths_and_one_in_millionths_is_converted() {
        let text = |sum: &str| {
            format!(
                r#"{{"bounds":[0.3,1.0,60.0],"counts":[2,0,3,4],"native":{{"zero":9,"first":0,"counts":[]}},{sum}}}"#
            )
        };
        let old = kept(&text(r#""sum":77000001"#));
        assert_eq!(old.sum(), 77.000001);
        // Written anew and read again, it is not converted twice.
        let again = kept(&serde_json::to_string(&old).unwrap());
        assert_eq!((&again, again.sum()), (&old, 77.000001));
        // More than 64 bits hold.
        let most = kept(&text(&format!(r#""sum_billionths":{}"#, u128::MAX)));
        assert_eq!(kept(&serde_json::to_string(&most).unwrap()).sum, u128::MAX);
        for wrong in [
            String::from(r#""missing":0"#),
            format!(r#""sum":{}"#, u128::MAX),
            format!(r#""sum_billionths":{}0"#, u128::MAX),
        ] {
            let read = serde_json::from_str::<Histogram>(&text(&wrong));
            assert!(read.is_err(), "{wrong}");
        }
    }

    /// What becomes of a histogram that is kept so.
    fn kept(text: &str) -> Histogram {
        let mut histogram: Histogram = serde_json::from_str(text).unwrap();
        assert!(histogram.resume(BOUNDS), "{text}");
        histogram
    }

    #[test]
    fn it_is_kept_with_its_finer_buckets_and_without_its_examples() {
        let mut histogram = of(&[0.0, 0.2, 59.0, 1e9]);
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(kept(&text), histogram);
        let source = Source {
            call: CallId(7),
            at: 9,
        };
        histogram.observe(Measure::whole(1), Some(source));
        let again = kept(&serde_json::to_string(&histogram).unwrap());
        assert_eq!(again.native(), histogram.native());
        assert_eq!(again.exemplars(), []);
        let empty = serde_json::to_string(&of(&[])).unwrap();
        assert_eq!(
            empty,
            r#"{"bounds":[0.3,1.0,60.0],"counts":[0,0,0,0],"sum_billionths":0}"#
        );
    }

    #[test]
    fn what_was_kept_without_finer_buckets_is_put_where_its_bucket_ends() {
        let old = r#"{"bounds":[0.3,1.0,60.0],"counts":[2,0,3,4],"sum":77000000"#;
        let mut expected = Native::default();
        expected.add(Measure::from_units(0.3).unwrap(), 2);
        expected.add(Measure::whole(60), 7);
        for native in [
            "}",
            // Of another count, as after a version that left it as it was.
            r#","native":{"zero":0,"first":8,"counts":[8]}}"#,
            // That no counting makes.
            r#","native":{"zero":0,"first":300,"counts":[9]}}"#,
            r#","native":{"zero":10,"first":0,"counts":[18446744073709551615]}}"#,
        ] {
            let histogram = kept(&format!("{old}{native}"));
            assert_eq!(histogram.native(), &expected, "{native}");
            assert_eq!((histogram.count(), histogram.sum()), (9, 77.0));
        }
        let right = r#","native":{"zero":0,"first":8,"counts":[9]}}"#;
        let mut elsewhere = Native::default();
        elsewhere.add(Measure::whole(2), 9);
        assert_eq!(kept(&format!("{old}{right}")).native(), &elsewhere);
    }

    #[test]
    fn other_buckets_are_taken_over_without_a_count_too_many() {
        const OLD: &[f64] = &[1.0, 100.0, 300.0, 1000.0];
        const NEW: &[f64] = &[100.0, 180.0, 300.0, 2000.0];
        let values = [
            0.5, 60.0, 100.0, 150.0, 160.0, 175.0, 180.0, 299.0, 400.0, 1500.0, 3000.0,
        ];
        let mut old = Histogram::new(OLD);
        let mut new = Histogram::new(NEW);
        for value in values {
            old.observe(Measure::from_units(value).unwrap(), None);
            new.observe(Measure::from_units(value).unwrap(), None);
        }
        let (sum, native) = (old.sum, old.native.clone());
        assert!(old.resume(NEW));
        let counts: Vec<u64> = old.buckets().map(|(_, count)| count).collect();
        let exact: Vec<u64> = new.buckets().map(|(_, count)| count).collect();
        // 175 and 180 are in a finer bucket that ends at 181; that of 1500 ends at 1,579.
        assert_eq!(exact, [3, 7, 8, 10, 11]);
        assert_eq!(counts, [3, 5, 8, 10, 11]);
        assert_eq!((old.count(), old.sum, old.native), (11, sum, native));
    }

    #[test]
    fn histograms_are_added_up() {
        let mut sum = of(&[0.2, 70.0]);
        sum.merge(&of(&[0.0, 0.7, 59.0, 1e9]));
        assert_eq!(sum, of(&[0.2, 70.0, 0.0, 0.7, 59.0, 1e9]));
        sum.merge(&of(&[]));
        assert_eq!(sum.count(), 6);
    }

    #[test]
    fn what_is_no_histogram_is_not_taken() {
        for text in [
            r#"{"bounds":[0.3,1.0,60.0],"counts":[0,0,0],"sum":0}"#,
            r#"{"bounds":[0.3,0.3,60.0],"counts":[0,0,0,0],"sum":0}"#,
            r#"{"bounds":[9.3,1.0,60.0],"counts":[0,0,0,0],"sum":0}"#,
            r#"{"bounds":[-1.0],"counts":[0,0],"sum":0}"#,
            r#"{"bounds":[1.0],"counts":[18446744073709551615,1],"sum":0}"#,
        ] {
            let mut histogram: Histogram = serde_json::from_str(text).unwrap();
            assert!(!histogram.resume(BOUNDS), "{text}");
        }
    }
}

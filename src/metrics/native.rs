//! The buckets of a native histogram: exponential, sparse, and exact.

use serde::{Deserialize, Serialize};

use crate::model::Measure;

/// Prometheus's resolution 3: each bucket is 2^(1/8), about 9 %, wider than the one below. Bucket `i`
/// holds values above 2^((i-1)/8) and at most 2^(i/8) units.
pub(crate) const SCHEMA: i32 = 3;
/// Values up to this one count as zero: 2^-128, as in Prometheus's client libraries, so that their
/// histograms and ours can be aggregated. The least measure, a billionth, is far above it.
pub(crate) const ZERO_THRESHOLD: f64 = 1.0 / (1_u128 << 127) as f64 / 2.0;

/// The bucket of one billionth, the least measure.
const FIRST: i32 = -239;
/// Number of buckets up to 2^32 units: all that a histogram can have, because measures end at 10^9 and
/// seconds at 2^32.
const BUCKETS: usize = 496;
/// Upper bounds of all buckets in billionths, rounded down: values are integers too, so this is exact.
const BOUNDS: [u64; BUCKETS] = bounds();

const fn bounds() -> [u64; BUCKETS] {
    // 2^(0/8) to 2^(7/8), times 2^63.
    const EIGHTHS: [u64; 8] = [
        9_223_372_036_854_775_808,
        10_058_158_527_438_640_870,
        10_968_499_650_544_839_023,
        11_961_233_684_655_323_370,
        13_043_817_825_332_782_212,
        14_224_384_202_002_324_189,
        15_511_800_964_685_064_948,
        16_915_738_899_553_466_670,
    ];
    let mut bounds = [0; BUCKETS];
    let mut bucket = 0;
    while bucket < BUCKETS {
        let index = FIRST + bucket as i32;
        let eighth = EIGHTHS[index.rem_euclid(8) as usize] as u128;
        bounds[bucket] =
            ((Measure::PER_UNIT as u128 * eighth) >> (63 - index.div_euclid(8))) as u64;
        bucket += 1;
    }
    bounds
}

/// Position in [`BOUNDS`] of the bucket of a measure, which must not be zero.
fn bucket(value: Measure) -> usize {
    // The bucket of 2^n billionths is at 8 n, because that of 2^0 is at 0. The value is below 2^(n+1),
    // so it is in one of the eight buckets from there, or in the next one.
    let octave = 8 * value.0.ilog2() as usize;
    let bounds = BOUNDS.get(octave..octave + 8).unwrap_or_default();
    let bucket = octave + bounds.partition_point(|bound| *bound < value.0);
    bucket.min(BUCKETS - 1)
}

/// The buckets of a native histogram. Field names are the format on disk.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct NativeBuckets {
    pub(super) zero: u64,
    /// Index of the bucket of the first count.
    first: i32,
    /// From the lowest bucket with an observation to the highest: at most 496.
    counts: Vec<u64>,
}

impl NativeBuckets {
    /// Counts `times` observations of a value.
    pub(super) fn add(&mut self, value: Measure, times: u64) {
        if value.0 == 0 {
            self.zero += times;
            return;
        }
        self.add_at(FIRST + bucket(value) as i32, times);
    }

    fn add_at(&mut self, index: i32, times: u64) {
        if self.counts.is_empty() {
            self.first = index;
        }
        if index < self.first {
            let missing = (self.first - index) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = index;
        }
        let at = (index - self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += times;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.zero += other.zero;
        for (index, count) in (other.first..).zip(&other.counts) {
            if *count > 0 {
                self.add_at(index, *count);
            }
        }
    }

    /// Number of observations that are certainly at most `bound`: those in buckets that end at or below
    /// it.
    pub(super) fn count_at_most(&self, bound: f64) -> u64 {
        // In billionths, rounded to the nearest, because a float cannot hold every bound.
        let bound = (bound * Measure::PER_UNIT as f64 + 0.5) as u64;
        let buckets = (self.first..).zip(&self.counts);
        let below = buckets.filter(|(index, _)| {
            let bucket = usize::try_from(index - FIRST).ok();
            bucket
                .and_then(|bucket| BOUNDS.get(bucket))
                .is_some_and(|end| *end <= bound)
        });
        self.zero + below.map(|(_, count)| count).sum::<u64>()
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Number of observations; `None` if the buckets, read from disk, are not valid.
    pub(super) fn total(&self) -> Option<u64> {
        let length = i32::try_from(self.counts.len()).ok()?;
        let end = self.first.checked_add(length)?;
        let is_valid = self.first >= FIRST && end <= FIRST + BUCKETS as i32;
        if length > 0 && !is_valid {
            return None;
        }
        let mut counts = self.counts.iter();
        counts.try_fold(self.zero, |total, count| total.checked_add(*count))
    }

    /// The spans of Prometheus's protobuf format: runs of buckets with observations. Each has its
    /// distance from the end of the previous span (the first: its index) and its counts. A gap that
    /// costs no more than a new span is part of a span.
    pub(super) fn spans(&self) -> impl Iterator<Item = (i32, &[u64])> {
        /// A new span is as long in bytes as this many empty buckets.
        const GAP: usize = 2;
        let counts = &self.counts;
        let mut distance = self.first;
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at + counts[at..].iter().position(|count| *count > 0)?;
            let mut end = start + 1;
            while let Some(next) = counts[end..].iter().position(|count| *count > 0)
                && next <= GAP
            {
                end += next + 1;
            }
            distance += (start - at) as i32;
            at = end;
            Some((std::mem::take(&mut distance), &counts[start..end]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product of two numbers of 32-bit digits, lowest first.
    fn times(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut product = vec![0_u64; a.len() + b.len()];
        for (i, a) in a.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in b.iter().enumerate() {
                let sum = product[i + j] + a * b + carry;
                product[i + j] = sum & 0xffff_ffff;
                carry = sum >> 32;
            }
            product[i + b.len()] += carry;
        }
        product
    }

    fn eighth_power(number: u64) -> Vec<u64> {
        let number = [number & 0xffff_ffff, number >> 32];
        let square = times(&number, &number);
        let fourth = times(&square, &square);
        times(&fourth, &fourth)
    }

    fn power_of_two(exponent: usize) -> Vec<u64> {
        let mut number = vec![0; exponent / 32 + 1];
        number[exponent / 32] = 1 << (exponent % 32);
        number
    }

    fn at_most(a: &[u64], b: &[u64]) -> bool {
        let digit = |number: &[u64], at: usize| number.get(at).copied().unwrap_or_default();
        let digits = (0..a.len().max(b.len())).rev();
        digits
            .map(|at| digit(a, at).cmp(&digit(b, at)))
            .find(|order| order.is_ne())
            .is_none_or(|order| order.is_lt())
    }

    /// Whether a number of billionths is at most 2^(index/8) units, computed in integers.
    fn is_within(billionths: u64, index: i32) -> bool {
        let (left, right) = match index {
            0.. => (0, index as usize),
            _ => (index.unsigned_abs() as usize, 0),
        };
        at_most(
            &times(&eighth_power(billionths), &power_of_two(left)),
            &times(&eighth_power(Measure::PER_UNIT), &power_of_two(right)),
        )
    }

    #[test]
    fn bounds_are_exact() {
        for (bucket, bound) in BOUNDS.iter().enumerate() {
            let index = FIRST + bucket as i32;
            assert!(is_within(*bound, index), "{index}");
            assert!(!is_within(bound + 1, index), "{index}");
        }
        assert!(BOUNDS.is_sorted());
        // One unit is the bound of bucket 0, and 2^32 units that of the last bucket.
        assert_eq!(BOUNDS[(-FIRST) as usize], Measure::PER_UNIT);
        assert_eq!(BOUNDS[BUCKETS - 1], Measure::PER_UNIT << 32);
        assert_eq!(ZERO_THRESHOLD, 2_f64.powi(-128));
    }

    #[test]
    fn values_around_every_bound_go_into_the_right_bucket() {
        let near = |bound: u64| [bound.saturating_sub(1), bound, bound + 1];
        let powers = (0..62).map(|exponent| 1_u64 << exponent);
        let values = BOUNDS.into_iter().chain(powers).flat_map(near);
        for value in values.filter(|value| (1..=BOUNDS[BUCKETS - 1]).contains(value)) {
            let bucket = bucket(Measure(value));
            let index = FIRST + bucket as i32;
            assert!(is_within(value, index), "{value}");
            assert!(
                bucket == 0 || !is_within(value, index - 1),
                "{value}: bucket {index} starts higher"
            );
        }
        assert_eq!(bucket(Measure(u64::MAX)), BUCKETS - 1, "above all measures");
        let largest = Measure::from_units(Measure::MAX_UNITS).unwrap();
        assert_eq!(FIRST + bucket(largest) as i32, 240);
        assert_eq!(FIRST + bucket(Measure::from_integer(u32::MAX)) as i32, 256);
    }

    fn of(values: &[u64]) -> NativeBuckets {
        let mut native = NativeBuckets::default();
        values.iter().for_each(|v| native.add(Measure(*v), 1));
        native
    }

    #[test]
    fn spans_bridge_small_gaps() {
        let spans = |native: &NativeBuckets| {
            let spans = native
                .spans()
                .map(|(distance, counts)| (distance, counts.to_vec()));
            spans.collect::<Vec<_>>()
        };
        assert_eq!(spans(&of(&[])), []);
        assert_eq!(spans(&of(&[0, 0])), []);
        // Buckets 8, 0, zero, 16 and 8: the order makes no difference.
        let spread = of(&[
            2_000_000_000,
            1_000_000_000,
            0,
            4_000_000_000,
            1_999_999_999,
        ]);
        let expected = [(0, vec![1]), (7, vec![2]), (7, vec![1])];
        assert_eq!(spans(&spread), expected);
        assert_eq!((spread.zero, spread.total()), (1, Some(5)));
        // Buckets 0, 3 and 7: a gap of two is part of the span, a gap of three is not.
        let near = of(&[1_000_000_000, 1_290_000_000, 1_810_000_000]);
        assert_eq!(spans(&near), [(0, vec![1, 0, 0, 1]), (3, vec![1])]);
        let (least, most) = (of(&[1]), of(&[1_000_000_000_000_000_000]));
        assert_eq!(spans(&least), [(-239, vec![1])]);
        assert_eq!(spans(&most), [(240, vec![1])]);
    }

    #[test]
    fn invalid_buckets_have_no_total() {
        let native = |zero, first, counts: &[u64]| NativeBuckets {
            zero,
            first,
            counts: counts.to_vec(),
        };
        assert_eq!(native(2, 256, &[3]).total(), Some(5));
        assert_eq!(native(2, 0, &[]).total(), Some(2));
        for wrong in [
            native(0, -240, &[1]),
            native(0, 257, &[1]),
            native(0, 256, &[1, 1]),
            native(0, i32::MAX, &[1, 1]),
            native(0, i32::MIN, &[1]),
            native(1, 0, &[u64::MAX]),
        ] {
            assert_eq!(wrong.total(), None, "{wrong:?}");
        }
    }
}

//! What a format has to be able to write, and in which shape it is given that.

use std::fmt::{self, Display};

use crate::metrics::catalog::Kind;
use crate::metrics::histogram::Exemplar;
use crate::metrics::native::Native;

/// Writes families one after the other, in one format.
pub(super) trait Writer {
    /// Begins a family; what follows is of it until the next.
    fn family(&mut self, name: &str, kind: Kind, help: &str);

    /// A series of a counter or a gauge. `created` is when a counter was 0, Unix seconds.
    fn value(&mut self, labels: &dyn Labels, value: Value, created: Option<f64>);

    /// A series of a histogram.
    fn histogram(
        &mut self,
        labels: &dyn Labels,
        distribution: HistogramSnapshot<'_>,
        created: Option<f64>,
    );

    /// Ends the answer.
    fn finish(self) -> Vec<u8>;
}

/// The labels of a series, wherever they are.
pub(super) trait Labels {
    /// Hands over names and values, in their order.
    fn each(&self, take: &mut dyn FnMut(&str, &dyn Display));
}

/// A value of a counter or a gauge. `Display` spells it as Prometheus does.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Whole(u64),
    Number(f64),
}

impl Value {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Number(value) => value,
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Whole(value) => value.fmt(f),
            Self::Number(f64::INFINITY) => f.write_str("+Inf"),
            Self::Number(value) => value.fmt(f),
        }
    }
}

/// What a histogram holds.
pub(super) struct HistogramSnapshot<'a> {
    /// Upper bound and observations up to it; the last bound is infinite.
    pub(super) buckets: &'a mut dyn Iterator<Item = (f64, u64)>,
    pub(super) sum: f64,
    pub(super) count: u64,
    /// The same in finer buckets.
    pub(super) native: Option<&'a Native>,
    /// By bucket; shorter where there is none.
    pub(super) exemplars: &'a [Option<Exemplar>],
}

//! The interface of the formats, and where they write to.

use std::fmt::{self, Display};
use std::io::{self, Write};

use crate::metrics::catalog::Kind;
use crate::metrics::histogram::Exemplar;
use crate::metrics::native::NativeBuckets;

/// Encodes metric families, one after the other, in one format.
pub(super) trait Writer {
    /// Starts a family. The following series belong to it.
    fn family(&mut self, name: &str, kind: Kind, help: &str);

    /// Writes a series of a counter or a gauge. `created` is when a counter was 0, in Unix seconds.
    fn value(&mut self, labels: &dyn Labels, value: Value, created: Option<f64>);

    /// Writes a series of a histogram, or of a summary without quantiles.
    fn observations(&mut self, labels: &dyn Labels, seen: Observations<'_>, created: Option<f64>);

    /// Ends the response.
    fn finish(self) -> io::Result<()>;
}

/// The labels of a series. A trait, so that labels of both kinds of metrics need no copy.
pub(super) trait Labels {
    /// Calls `visit` with each name and value, in order.
    fn for_each(&self, visit: &mut dyn FnMut(&str, &dyn Display));
}

/// A sample value. `Display` formats it as Prometheus does.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Integer(u64),
    Float(f64),
}

impl Value {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(f64::INFINITY) => f.write_str("+Inf"),
            // The shortest decimal of a float takes much longer to find.
            Self::Float(value) if is_short_integer(value) => (value as i64).fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// Whether the value is an integer that a float holds exactly, and not -0.
fn is_short_integer(value: f64) -> bool {
    let integer = value as i64;
    integer.unsigned_abs() < 1 << 53 && (integer as f64).to_bits() == value.to_bits()
}

/// What a histogram or a summary has observed.
pub(super) struct Observations<'a> {
    /// Upper bound and cumulative count; the last bound is infinite. A summary has none.
    pub(super) buckets: &'a mut dyn Iterator<Item = (f64, u64)>,
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Only call metrics have native buckets.
    pub(super) native: Option<&'a NativeBuckets>,
    /// By bucket; empty if there are none.
    pub(super) exemplars: &'a [Option<Exemplar>],
}

/// Bytes that are collected before they go to the sink.
const PIECE: usize = 64 << 10;

/// Collects a piece of the response, which the formats look back into and correct, and passes it on.
pub(super) struct Output<'a> {
    pub(super) buffer: Vec<u8>,
    sink: &'a mut dyn Write,
    /// The first error of the sink.
    result: io::Result<()>,
}

impl<'a> Output<'a> {
    pub(super) fn new(sink: &'a mut dyn Write) -> Self {
        Self {
            buffer: Vec::with_capacity(PIECE + PIECE / 4),
            sink,
            result: Ok(()),
        }
    }

    /// Passes on what was written, if it is a piece: the caller does not look back any more.
    pub(super) fn pass_on(&mut self) {
        if self.buffer.len() >= PIECE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.sink.write_all(&self.buffer);
        }
        self.buffer.clear();
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush();
        self.result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_rust_writes_them() {
        let large = (1_u64 << 53) as f64;
        for value in [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            1e-9,
            1_622_633_999.0,
            1_622_633_999.25,
            large - 1.0,
            large,
            -large,
            1e18,
            1e300,
            f64::MAX,
            f64::NEG_INFINITY,
        ] {
            let expected = match value {
                f64::NEG_INFINITY => "-inf".to_owned(),
                value => format!("{value}"),
            };
            assert_eq!(Value::Float(value).to_string(), expected);
        }
        assert_eq!(Value::Float(f64::INFINITY).to_string(), "+Inf");
        assert_eq!(Value::Float(f64::NAN).to_string(), "NaN");
    }
}

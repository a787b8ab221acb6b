//! OpenMetrics 1.0.0.

use std::fmt::{self, Display};
use std::io;

use super::lines::Lines;
use super::output::Output;
use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use crate::metrics::catalog::Kind;
use crate::metrics::histogram::Exemplar;

/// Suffixes of family names that become a `# UNIT` line.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

pub(super) struct OpenMetrics<'a> {
    lines: Lines<'a>,
    kind: Kind,
    created_lines: bool,
}

impl<'a> OpenMetrics<'a> {
    pub(super) fn new(out: Output<'a>, created_lines: bool) -> Self {
        Self {
            lines: Lines::new(out),
            created_lines,
            kind: Kind::Gauge,
        }
    }

    fn created(&mut self, created: Option<f64>) {
        if let Some(created) = created.filter(|_| self.created_lines) {
            self.lines.continue_series("_created");
            self.lines.end_line(Value::Float(created));
        }
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        if let Some(uuid) = exemplar.call.uuid() {
            let value = exemplar.value.units();
            let at = exemplar.at;
            self.lines
                .raw(format_args!(" # {{call_uuid=\"{uuid}\"}} {value} {at}"));
        }
    }
}

/// Name of a family. In OpenMetrics `_total` is a suffix of a counter's samples, not part of its name.
pub(super) fn family_name(name: &str, kind: Kind) -> &str {
    match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram | Kind::Summary => name,
    }
}

impl Writer for OpenMetrics<'_> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.kind = kind;
        let name = family_name(name, kind);
        self.lines.start_family(name);
        self.lines.metadata("HELP", help);
        self.lines.metadata("TYPE", kind.name());
        let unit = name.rsplit('_').next().filter(|unit| UNITS.contains(unit));
        if let Some(unit) = unit {
            self.lines.metadata("UNIT", unit);
        }
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, created: Option<f64>) {
        match self.kind {
            Kind::Counter => {
                self.lines.start_series("_total", labels);
                self.lines.end_line(value);
                self.created(created);
            }
            Kind::Gauge | Kind::Histogram | Kind::Summary => {
                self.lines.start_series("", labels);
                self.lines.end_line(value);
            }
        }
    }

    fn histogram(
        &mut self,
        labels: &dyn Labels,
        histogram: HistogramSnapshot<'_>,
        created: Option<f64>,
    ) {
        for (index, (bound, count)) in histogram.buckets.enumerate() {
            match index {
                0 => self.lines.start_series("_bucket", labels),
                _ => self.lines.continue_series("_bucket"),
            }
            self.lines.le_label(index, Bound(bound));
            self.lines.value(count);
            if let Some(Some(exemplar)) = histogram.exemplars.get(index) {
                self.exemplar(exemplar);
            }
            self.lines.newline();
        }
        self.lines.continue_series("_count");
        self.lines.end_line(Value::Integer(histogram.count));
        self.lines.continue_series("_sum");
        self.lines.end_line(Value::Float(histogram.sum));
        self.created(created);
    }

    fn summary(&mut self, labels: &dyn Labels, count: u64, sum: f64, created: Option<f64>) {
        self.lines.start_series("_count", labels);
        self.lines.end_line(Value::Integer(count));
        self.lines.continue_series("_sum");
        self.lines.end_line(Value::Float(sum));
        self.created(created);
    }

    fn finish(mut self) -> io::Result<()> {
        self.lines.raw("# EOF\n");
        self.lines.finish()
    }
}

/// A bound in OpenMetrics's canonical form, which has a decimal point, so that equal bounds are equal
/// labels. Rust's `Debug` gives this form from a ten-thousandth to a million; a test holds the bounds of
/// the catalog in that range.
pub(super) struct Bound(pub(super) f64);

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            bound => write!(f, "{bound:?}"),
        }
    }
}

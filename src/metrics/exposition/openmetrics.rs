//! OpenMetrics 1.0.0.

use std::fmt::{self, Display};

use super::lines::Lines;
use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use crate::metrics::catalog::Kind;
use crate::metrics::histogram::Exemplar;

/// Units that a name of a family may end with, and that are then told.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

pub(super) struct OpenMetrics {
    lines: Lines,
    kind: Kind,
    created_lines: bool,
}

impl OpenMetrics {
    pub(super) fn new(out: Vec<u8>, created_lines: bool) -> Self {
        Self {
            lines: Lines::new(out),
            created_lines,
            kind: Kind::Gauge,
        }
    }

    fn end(&mut self, value: Value) {
        self.lines.value(value);
        self.lines.end();
    }

    fn created(&mut self, created: Option<f64>) {
        if let Some(created) = created.filter(|_| self.created_lines) {
            self.lines.again("_created");
            self.end(Value::Number(created));
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

/// Name of a family: that of a counter lacks the suffix of its samples.
pub(super) fn family_name(name: &str, kind: Kind) -> &str {
    match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram => name,
    }
}

impl Writer for OpenMetrics {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.kind = kind;
        let name = family_name(name, kind);
        self.lines.family(name);
        self.lines.meta("HELP", help);
        self.lines.meta("TYPE", kind.name());
        let unit = name.rsplit('_').next().filter(|unit| UNITS.contains(unit));
        if let Some(unit) = unit {
            self.lines.meta("UNIT", unit);
        }
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, created: Option<f64>) {
        match self.kind {
            Kind::Counter => {
                self.lines.series("_total", labels);
                self.end(value);
                self.created(created);
            }
            Kind::Gauge | Kind::Histogram => {
                self.lines.series("", labels);
                self.end(value);
            }
        }
    }

    fn histogram(
        &mut self,
        labels: &dyn Labels,
        distribution: HistogramSnapshot<'_>,
        created: Option<f64>,
    ) {
        for (index, (bound, count)) in distribution.buckets.enumerate() {
            match index {
                0 => self.lines.series("_bucket", labels),
                _ => self.lines.again("_bucket"),
            }
            self.lines.bound(Bound(bound));
            self.lines.value(count);
            if let Some(Some(exemplar)) = distribution.exemplars.get(index) {
                self.exemplar(exemplar);
            }
            self.lines.end();
        }
        self.lines.again("_count");
        self.end(Value::Whole(distribution.count));
        self.lines.again("_sum");
        self.end(Value::Number(distribution.sum));
        self.created(created);
    }

    fn finish(mut self) -> Vec<u8> {
        self.lines.raw("# EOF\n");
        self.lines.finish()
    }
}

/// A bound as OpenMetrics wants it, so that the same one is always the same label: with a point.
/// For what is from a ten-thousandth to a million, as all bounds here are, Rust spells it so too.
pub(super) struct Bound(pub(super) f64);

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            bound => write!(f, "{bound:?}"),
        }
    }
}

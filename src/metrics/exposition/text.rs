//! Prometheus's text format, version 0.0.4, and OpenMetrics 1.0.0.

use std::fmt::{self, Display, Write};
use std::io;
use std::ops::Range;

use super::writer::{Labels, Observations, Output, Value, Writer};
use crate::metrics::catalog::Kind;

/// Suffixes of family names that become a `# UNIT` line.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Prometheus,
    OpenMetrics { created_lines: bool },
}

/// The lines written last. Writing to memory cannot fail, so the results of `write!` are ignored.
pub(super) struct Text<'a> {
    out: Output<'a>,
    dialect: Dialect,
    kind: Kind,
    /// Name of the family, without suffixes such as `_bucket`.
    name: String,
    /// Position in `out` of the labels of the current series.
    labels: Range<usize>,
    /// The bounds of this family's buckets as text: the same for all its series.
    bounds: Vec<String>,
}

impl<'a> Text<'a> {
    pub(super) fn new(out: Output<'a>, dialect: Dialect) -> Self {
        Self {
            out,
            dialect,
            kind: Kind::Gauge,
            name: String::new(),
            labels: 0..0,
            bounds: Vec::new(),
        }
    }

    fn is_openmetrics(&self) -> bool {
        self.dialect != Dialect::Prometheus
    }

    /// Writes a line `# KEYWORD name text`.
    fn metadata(&mut self, keyword: &str, text: &str) {
        let out = &mut Plain(&mut self.out.buffer);
        let _ = writeln!(out, "# {keyword} {} {text}", self.name);
    }

    /// Starts a line of a series: the first one, or another one.
    fn line(&mut self, index: usize, suffix: &str, labels: &dyn Labels) {
        match index {
            0 => self.start_series(suffix, labels),
            _ => self.continue_series(suffix),
        }
    }

    /// Starts the first line of a series, up to its last label.
    fn start_series(&mut self, suffix: &str, labels: &dyn Labels) {
        self.out.pass_on();
        self.start_line(suffix);
        let start = self.out.buffer.len();
        let out = &mut self.out.buffer;
        labels.for_each(&mut |name, value| {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            let _ = write!(Escaped(out), "{value}");
            out.push(b'"');
        });
        self.labels = start..self.out.buffer.len();
    }

    /// Starts another line of the same series, with a copy of its labels.
    fn continue_series(&mut self, suffix: &str) {
        self.start_line(suffix);
        let start = self.out.buffer.len();
        self.out.buffer.extend_from_within(self.labels.clone());
        self.labels = start..self.out.buffer.len();
    }

    fn start_line(&mut self, suffix: &str) {
        self.out.buffer.extend_from_slice(self.name.as_bytes());
        self.out.buffer.extend_from_slice(suffix.as_bytes());
        self.out.buffer.push(b'{');
    }

    /// Adds the label `le` of the bucket at `index`. Series of a family have the same bounds.
    fn le_label(&mut self, index: usize, bound: f64) {
        if !self.labels.is_empty() {
            self.out.buffer.push(b',');
        }
        if index >= self.bounds.len() {
            self.bounds.push(match self.dialect {
                Dialect::Prometheus => format!("le=\"{}\"", Value::Float(bound)),
                Dialect::OpenMetrics { .. } => format!("le=\"{}\"", Bound(bound)),
            });
        }
        self.out
            .buffer
            .extend_from_slice(self.bounds[index].as_bytes());
    }

    /// Ends the labels and writes the value. An exemplar may follow.
    fn sample(&mut self, value: Value) {
        if self.out.buffer.ends_with(b"{") {
            self.out.buffer.pop();
        } else {
            self.out.buffer.push(b'}');
        }
        let _ = write!(Plain(&mut self.out.buffer), " {value}");
    }

    fn end_line(&mut self, value: Value) {
        self.sample(value);
        self.out.buffer.push(b'\n');
    }

    fn created(&mut self, created: Option<f64>) {
        const WITH_CREATED: Dialect = Dialect::OpenMetrics {
            created_lines: true,
        };
        if let Some(at) = created.filter(|_| self.dialect == WITH_CREATED) {
            self.continue_series("_created");
            self.end_line(Value::Float(at));
        }
    }
}

impl Writer for Text<'_> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.kind = kind;
        let name = match self.is_openmetrics() {
            true => family_name(name, kind),
            false => name,
        };
        name.clone_into(&mut self.name);
        self.bounds.clear();
        self.metadata("HELP", help);
        self.metadata("TYPE", kind.name());
        let unit = name.rsplit('_').next().filter(|unit| UNITS.contains(unit));
        if let Some(unit) = unit.filter(|_| self.is_openmetrics()) {
            self.metadata("UNIT", unit);
        }
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, created: Option<f64>) {
        let is_counter = self.kind == Kind::Counter;
        let suffix = match is_counter && self.is_openmetrics() {
            true => "_total",
            false => "",
        };
        self.start_series(suffix, labels);
        self.end_line(value);
        self.created(created.filter(|_| is_counter));
    }

    fn observations(&mut self, labels: &dyn Labels, seen: Observations<'_>, created: Option<f64>) {
        let mut lines = 0;
        for (bound, count) in seen.buckets {
            self.line(lines, "_bucket", labels);
            self.le_label(lines, bound);
            self.sample(Value::Integer(count));
            if let Some(Some(exemplar)) = seen.exemplars.get(lines)
                && self.is_openmetrics()
                && let Some(uuid) = exemplar.call.uuid()
            {
                let (value, at) = (exemplar.value.units(), exemplar.at);
                let out = &mut Plain(&mut self.out.buffer);
                let _ = write!(out, " # {{call_uuid=\"{uuid}\"}} {value} {at}");
            }
            self.out.buffer.push(b'\n');
            lines += 1;
        }
        let mut totals = [
            ("_sum", Value::Float(seen.sum)),
            ("_count", Value::Integer(seen.count)),
        ];
        if self.is_openmetrics() {
            totals.reverse();
        }
        for (index, (suffix, value)) in (lines..).zip(totals) {
            self.line(index, suffix, labels);
            self.end_line(value);
        }
        self.created(created);
    }

    fn finish(mut self) -> io::Result<()> {
        if self.is_openmetrics() {
            self.out.buffer.extend_from_slice(b"# EOF\n");
        }
        self.out.finish()
    }
}

/// Name of a family. In OpenMetrics `_total` is a suffix of a counter's samples, not part of its name.
pub(super) fn family_name(name: &str, kind: Kind) -> &str {
    match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram | Kind::Summary => name,
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

/// Writes text as it is.
pub(super) struct Plain<'a>(pub(super) &'a mut Vec<u8>);

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Writes text escaped as a label value.
struct Escaped<'a>(&'a mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().split_inclusive(|byte| is_special(*byte)) {
            match part.split_last() {
                Some((special, before)) if is_special(*special) => {
                    self.0.extend_from_slice(before);
                    let letter = if *special == b'\n' { b'n' } else { *special };
                    self.0.extend_from_slice(&[b'\\', letter]);
                }
                _ => self.0.extend_from_slice(part),
            }
        }
        Ok(())
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\\' | b'"' | b'\n')
}

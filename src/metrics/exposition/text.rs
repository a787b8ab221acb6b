//! Prometheus's text format, version 0.0.4, and OpenMetrics 1.0.0.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

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
    /// The labels of the current series.
    labels: String,
    /// The label `le` of each bucket, after a comma: the same for all series of this family.
    bounds: Vec<String>,
}

impl<'a> Text<'a> {
    pub(super) fn new(out: Output<'a>, dialect: Dialect) -> Self {
        Self {
            out,
            dialect,
            kind: Kind::Gauge,
            name: String::new(),
            labels: String::new(),
            bounds: Vec::new(),
        }
    }

    fn is_openmetrics(&self) -> bool {
        self.dialect != Dialect::Prometheus
    }

    /// Writes a line `# KEYWORD name text`.
    fn metadata(&mut self, keyword: &str, text: &str) {
        let _ = writeln!(self.out.buffer, "# {keyword} {} {text}", self.name);
    }

    /// Begins a series. Its labels are formatted once for all its lines.
    fn series(&mut self, labels: &dyn Labels) {
        self.out.pass_on();
        self.labels.clear();
        labels.for_each(&mut |name, value| push_label(&mut self.labels, name, value));
    }

    /// Writes a line of the series.
    fn line(&mut self, suffix: &str, value: Value) {
        self.sample(suffix, None, value);
        self.out.buffer.push(b'\n');
    }

    /// Writes a line of the series up to its value. An exemplar may follow.
    fn sample(&mut self, suffix: &str, bucket: Option<usize>, value: Value) {
        let out = &mut self.out.buffer;
        let mut push = |text: &str| out.extend_from_slice(text.as_bytes());
        push(&self.name);
        push(suffix);
        // Histograms always have labels, so `le` follows another one.
        if !self.labels.is_empty() {
            push("{");
            push(&self.labels);
            if let Some(bucket) = bucket {
                push(&self.bounds[bucket]);
            }
            push("}");
        }
        let _ = write!(out, " {value}");
    }

    fn created(&mut self, created: Option<f64>) {
        const WITH_CREATED: Dialect = Dialect::OpenMetrics {
            created_lines: true,
        };
        if let Some(at) = created.filter(|_| self.dialect == WITH_CREATED) {
            self.line("_created", Value::Float(at));
        }
    }
}

impl Writer for Text<'_> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.kind = kind;
        let name = match self.is_openmetrics() {
            true => family_name(name),
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
        self.series(labels);
        self.line(suffix, value);
        self.created(created.filter(|_| is_counter));
    }

    fn observations(&mut self, labels: &dyn Labels, seen: Observations<'_>, created: Option<f64>) {
        self.series(labels);
        for (bucket, (bound, count)) in seen.buckets.enumerate() {
            if bucket >= self.bounds.len() {
                self.bounds.push(match self.dialect {
                    Dialect::Prometheus => format!(",le=\"{}\"", Value::Float(bound)),
                    Dialect::OpenMetrics { .. } => openmetrics_le(bound),
                });
            }
            self.sample("_bucket", Some(bucket), Value::Integer(count));
            if let Some(Some(exemplar)) = seen.exemplars.get(bucket)
                && self.is_openmetrics()
                && let Some(uuid) = exemplar.call.uuid()
            {
                let (value, at) = (exemplar.value.units(), exemplar.at);
                let out = &mut self.out.buffer;
                let _ = write!(out, " # {{call_uuid=\"{uuid}\"}} {value} {at}");
            }
            self.out.buffer.push(b'\n');
        }
        let mut totals = [
            ("_sum", Value::Float(seen.sum)),
            ("_count", Value::Integer(seen.count)),
        ];
        if self.is_openmetrics() {
            totals.reverse();
        }
        for (suffix, value) in totals {
            self.line(suffix, value);
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
/// No other metric ends like that.
pub(super) fn family_name(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// The label `le` in OpenMetrics, after a comma. The bound is in the canonical form, which has a decimal
/// point, so that equal bounds are equal labels. Rust's `Debug` gives this form from a ten-thousandth to a
/// million; a test holds the bounds of the catalog in that range.
pub(super) fn openmetrics_le(bound: f64) -> String {
    match bound {
        f64::INFINITY => String::from(",le=\"+Inf\""),
        bound => format!(",le=\"{bound:?}\""),
    }
}

/// Appends a label, after a comma if it is not the first one.
pub(super) fn push_label(labels: &mut String, name: &str, value: &dyn Display) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    let _ = write!(Escaped(labels), "{value}");
    labels.push('"');
}

/// Writes text escaped as a label value.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        let is_special = |byte| matches!(byte, b'\\' | b'"' | b'\n');
        while let Some(at) = text.bytes().position(is_special) {
            self.0.push_str(&text[..at]);
            self.0.push_str(match text.as_bytes()[at] {
                b'\n' => r"\n",
                b'"' => r#"\""#,
                _ => r"\\",
            });
            text = &text[at + 1..];
        }
        self.0.push_str(text);
        Ok(())
    }
}

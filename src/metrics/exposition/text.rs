//! Prometheus's text format, version 0.0.4.

use std::io;

use super::lines::Lines;
use super::output::Output;
use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use crate::metrics::catalog::Kind;

pub(super) struct Text<'a>(Lines<'a>);

impl<'a> Text<'a> {
    pub(super) fn new(out: Output<'a>) -> Self {
        Self(Lines::new(out))
    }
}

impl Writer for Text<'_> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.0.start_family(name);
        self.0.metadata("HELP", help);
        self.0.metadata("TYPE", kind.name());
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, _created: Option<f64>) {
        self.0.start_series("", labels);
        self.0.end_line(value);
    }

    fn histogram(
        &mut self,
        labels: &dyn Labels,
        histogram: HistogramSnapshot<'_>,
        _created: Option<f64>,
    ) {
        for (index, (bound, count)) in histogram.buckets.enumerate() {
            match index {
                0 => self.0.start_series("_bucket", labels),
                _ => self.0.continue_series("_bucket"),
            }
            self.0.le_label(index, Value::Float(bound));
            self.0.end_line(Value::Integer(count));
        }
        self.0.continue_series("_sum");
        self.0.end_line(Value::Float(histogram.sum));
        self.0.continue_series("_count");
        self.0.end_line(Value::Integer(histogram.count));
    }

    fn summary(&mut self, labels: &dyn Labels, count: u64, sum: f64, _created: Option<f64>) {
        self.0.start_series("_sum", labels);
        self.0.end_line(Value::Float(sum));
        self.0.continue_series("_count");
        self.0.end_line(Value::Integer(count));
    }

    fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

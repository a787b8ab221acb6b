//! Prometheus's text format, version 0.0.4.

use super::lines::Lines;
use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use crate::metrics::catalog::Kind;

pub(super) struct Text(Lines);

impl Text {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self(Lines::new(out))
    }

    fn end(&mut self, value: Value) {
        self.0.value(value);
        self.0.end();
    }
}

impl Writer for Text {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.0.family(name);
        self.0.meta("HELP", help);
        self.0.meta("TYPE", kind.name());
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, _created: Option<f64>) {
        self.0.series("", labels);
        self.end(value);
    }

    fn histogram(
        &mut self,
        labels: &dyn Labels,
        distribution: HistogramSnapshot<'_>,
        _created: Option<f64>,
    ) {
        for (index, (bound, count)) in distribution.buckets.enumerate() {
            match index {
                0 => self.0.series("_bucket", labels),
                _ => self.0.again("_bucket"),
            }
            self.0.bound(Value::Number(bound));
            self.end(Value::Whole(count));
        }
        self.0.again("_sum");
        self.end(Value::Number(distribution.sum));
        self.0.again("_count");
        self.end(Value::Whole(distribution.count));
    }

    fn finish(self) -> Vec<u8> {
        self.0.finish()
    }
}

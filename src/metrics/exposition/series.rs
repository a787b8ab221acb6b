//! Writes the series of one call metric of one target.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::writer::{Labels, Observations, Value, Writer};
use crate::metrics::catalog::Metric;
use crate::metrics::histogram::Histogram;
use crate::metrics::tallies::{Sum, Tallies};
use crate::model::ManualKind;

/// Writes series of one metric of one target.
pub(super) struct Series<'a, W> {
    pub(super) writer: &'a mut W,
    pub(super) metric: &'a Metric,
    pub(super) target: &'a str,
    pub(super) created: Option<f64>,
}

impl<W: Writer> Series<'_, W> {
    pub(super) fn by_label<A: Display>(&mut self, values: &BTreeMap<A, u64>) {
        for (a, value) in values {
            self.value(&[a], *value);
        }
    }

    pub(super) fn by_two_labels<A: Display, B: Display>(&mut self, values: &BTreeMap<(A, B), u64>) {
        for ((a, b), value) in values {
            self.value(&[a, b], *value);
        }
    }

    pub(super) fn manual_states(&mut self, tallies: &Tallies, wanted: ManualKind) {
        for ((kind, call_type, state), count) in &tallies.manual_states {
            if *kind == wanted {
                self.value(&[call_type, state], *count);
            }
        }
    }

    pub(super) fn histograms<A: Display>(&mut self, histograms: &BTreeMap<A, Histogram>) {
        for (a, histogram) in histograms {
            self.histogram(&[a], histogram);
        }
    }

    pub(super) fn value(&mut self, values: &[&dyn Display], value: u64) {
        let labels = self.labels(values);
        self.writer
            .value(&labels, Value::Integer(value), self.created);
    }

    pub(super) fn histogram(&mut self, values: &[&dyn Display], histogram: &Histogram) {
        let labels = self.labels(values);
        let seen = Observations {
            buckets: &mut histogram.buckets(),
            sum: histogram.sum(),
            count: histogram.count(),
            native: Some(histogram.native()),
            exemplars: histogram.exemplars(),
        };
        self.writer.observations(&labels, seen, self.created);
    }

    pub(super) fn summary(&mut self, values: &[&dyn Display], sum: Sum) {
        let labels = self.labels(values);
        let seen = Observations {
            buckets: &mut std::iter::empty(),
            sum: sum.units(),
            count: sum.count(),
            native: None,
            exemplars: &[],
        };
        self.writer.observations(&labels, seen, self.created);
    }

    fn labels<'b>(&self, values: &'b [&'b dyn Display]) -> CallLabels<'b>
    where
        Self: 'b,
    {
        CallLabels {
            names: self.metric.labels,
            target: self.target,
            values,
        }
    }
}

/// The labels of a call metric. The first one is always the target.
struct CallLabels<'a> {
    names: &'static [&'static str],
    target: &'a str,
    values: &'a [&'a dyn Display],
}

impl Labels for CallLabels<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &dyn Display)) {
        visit(self.names[0], &self.target);
        for (name, value) in self.names[1..].iter().zip(self.values) {
            visit(name, value);
        }
    }
}

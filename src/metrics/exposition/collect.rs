//! Selects the families and series of a response, and their order.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use prometheus::proto::{self, LabelPair, MetricType};

use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use super::{CallMetrics, ExporterSeries, TargetCallMetrics};
use crate::metrics::catalog::{self, Kind, Metric};
use crate::metrics::exporter::ExporterSnapshot;
use crate::metrics::histogram::Histogram;
use crate::metrics::tallies::Tallies;
use crate::model::{ManualKind, Position};

/// Writes the call metrics of these targets.
pub(super) fn call_metrics(writer: &mut impl Writer, targets: &[TargetCallMetrics<'_>]) {
    if targets.is_empty() {
        return;
    }
    for (metric, write_series) in families() {
        writer.family(metric.name, metric.kind, metric.help);
        for target in targets {
            // All gauges here describe the calls as of the last success.
            if target.is_stale && metric.kind == Kind::Gauge {
                continue;
            }
            write_series(
                &mut Series {
                    writer,
                    metric: &metric,
                    target: target.target,
                    created: target.calls.counted_from.map(f64::from),
                },
                target.calls,
            );
        }
    }
}

/// Writes the series of one metric of one target.
type WriteSeries<W> = fn(&mut Series<'_, W>, &CallMetrics);

/// The call metrics, each with its part of the tallies.
fn families<W: Writer>() -> [(Metric, WriteSeries<W>); 18] {
    [
        (catalog::WINDOW_CALLS, |out, calls| {
            for (call_type, position, count) in calls.tallies.window() {
                if let Position::In(status) = position {
                    out.value(&[&call_type, &status], count);
                }
            }
        }),
        (catalog::WINDOW_MISSING, |out, calls| {
            for (call_type, position, count) in calls.tallies.window() {
                if position == Position::Missing {
                    out.value(&[&call_type], count);
                }
            }
        }),
        (catalog::RECENT_CALLS, |out, calls| {
            out.by_label(&calls.recent)
        }),
        (catalog::OLDEST_PENDING, |out, calls| {
            for (call_type, status, uploaded) in &calls.oldest_pending {
                out.value(&[call_type, status], u64::from(*uploaded));
            }
        }),
        (catalog::SAMPLED, |out, calls| {
            out.manual_states(&calls.tallies, ManualKind::Inspect)
        }),
        (catalog::REVIEWED, |out, calls| {
            out.manual_states(&calls.tallies, ManualKind::Review)
        }),
        (catalog::APPEALED, |out, calls| {
            out.manual_states(&calls.tallies, ManualKind::Complain)
        }),
        (catalog::CALLS, |out, calls| {
            out.by_label(&calls.tallies.calls)
        }),
        (catalog::PROCESSED, |out, calls| {
            out.by_two_labels(&calls.tallies.processed)
        }),
        (catalog::EXPIRED, |out, calls| {
            out.by_two_labels(&calls.tallies.expired)
        }),
        (catalog::MISSING, |out, calls| {
            out.by_label(&calls.tallies.missing)
        }),
        (catalog::UNOBSERVED, |out, calls| {
            out.value(&[], calls.tallies.unobserved)
        }),
        (catalog::DURATION, |out, calls| {
            out.histograms(&calls.tallies.duration)
        }),
        (catalog::PROCESSING_TIME, |out, calls| {
            for ((call_type, outcome), histogram) in &calls.tallies.processing {
                out.histogram(&[call_type, outcome], histogram);
            }
        }),
        (catalog::LISTING_DELAY, |out, calls| {
            out.histogram(&[], &calls.tallies.listing_delay)
        }),
        (catalog::SILENCE, |out, calls| {
            out.histograms(&calls.tallies.silence)
        }),
        (catalog::SPEED, |out, calls| {
            out.histograms(&calls.tallies.speed)
        }),
        (catalog::RATIO, |out, calls| {
            out.histograms(&calls.tallies.ratio)
        }),
    ]
}

/// Writes series of one metric of one target.
struct Series<'a, W> {
    writer: &'a mut W,
    metric: &'a Metric,
    target: &'a str,
    created: Option<f64>,
}

impl<W: Writer> Series<'_, W> {
    fn by_label<A: Display>(&mut self, values: &BTreeMap<A, u64>) {
        for (a, value) in values {
            self.value(&[a], *value);
        }
    }

    fn by_two_labels<A: Display, B: Display>(&mut self, values: &BTreeMap<(A, B), u64>) {
        for ((a, b), value) in values {
            self.value(&[a, b], *value);
        }
    }

    fn manual_states(&mut self, tallies: &Tallies, wanted: ManualKind) {
        for ((kind, call_type, state), count) in &tallies.manual_states {
            if *kind == wanted {
                self.value(&[call_type, state], *count);
            }
        }
    }

    fn histograms<A: Display>(&mut self, histograms: &BTreeMap<A, Histogram>) {
        for (a, histogram) in histograms {
            self.histogram(&[a], histogram);
        }
    }

    fn value(&mut self, values: &[&dyn Display], value: u64) {
        let labels = self.labels(values);
        self.writer
            .value(&labels, Value::Integer(value), self.created);
    }

    fn histogram(&mut self, values: &[&dyn Display], histogram: &Histogram) {
        let labels = self.labels(values);
        let snapshot = HistogramSnapshot {
            buckets: &mut histogram.buckets(),
            sum: histogram.sum(),
            count: histogram.count(),
            native: Some(histogram.native()),
            exemplars: histogram.exemplars(),
        };
        self.writer.histogram(&labels, snapshot, self.created);
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

/// Writes the selected series of the exporter's own metrics.
pub(super) fn exporter_metrics(
    writer: &mut impl Writer,
    exporter: &ExporterSnapshot,
    selection: ExporterSeries<'_>,
) {
    let names: HashSet<&str> = match selection {
        ExporterSeries::With(names) => names.iter().copied().collect(),
        ExporterSeries::Only(name) => HashSet::from([name]),
    };
    let is_selected = |metric: &&proto::Metric| match target_of(metric) {
        Some(target) => names.contains(target),
        None => matches!(selection, ExporterSeries::With(_)),
    };
    for family in &exporter.families {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            // The exporter has no metrics of the other types.
            MetricType::SUMMARY | MetricType::UNTYPED => continue,
        };
        let mut series = family.get_metric().iter().filter(is_selected).peekable();
        if series.peek().is_none() {
            continue;
        }
        writer.family(family.name(), kind, family.help());
        for metric in series {
            let created = Some(exporter.created(family, target_of(metric)));
            write_metric(writer, kind, metric, created);
        }
    }
}

fn write_metric(
    writer: &mut impl Writer,
    kind: Kind,
    metric: &proto::Metric,
    created: Option<f64>,
) {
    let labels = metric.get_label();
    let value = match kind {
        Kind::Counter => metric.get_counter().get_value(),
        Kind::Gauge => metric.get_gauge().get_value(),
        Kind::Histogram => {
            let histogram = metric.get_histogram();
            let count = histogram.get_sample_count();
            let finite = histogram.get_bucket().iter();
            let finite = finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
            let snapshot = HistogramSnapshot {
                buckets: &mut finite.chain([(f64::INFINITY, count)]),
                sum: histogram.get_sample_sum(),
                count,
                native: None,
                exemplars: &[],
            };
            return writer.histogram(&labels, snapshot, created);
        }
    };
    writer.value(&labels, Value::Float(value), created);
}

impl Labels for &[LabelPair] {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &dyn Display)) {
        for label in *self {
            visit(label.name(), &label.value());
        }
    }
}

fn target_of(metric: &proto::Metric) -> Option<&str> {
    let labels = metric.get_label();
    let target = labels.iter().find(|label| label.name() == "target");
    target.map(|label| label.value())
}

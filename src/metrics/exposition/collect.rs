//! Which families and series an answer has, in which order.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use prometheus::proto::{LabelPair, Metric as Gauged, MetricType};

use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use super::{CallMetrics, ExporterSeries, Shown};
use crate::metrics::catalog::{self, Kind, Metric};
use crate::metrics::exporter::Gathered;
use crate::metrics::histogram::Histogram;
use crate::metrics::tallies::Tallies;
use crate::model::{ManualKind, Position, Role};

/// The call metrics of these targets.
pub(super) fn calls(writer: &mut impl Writer, targets: &[Shown<'_>]) {
    if targets.is_empty() {
        return;
    }
    for (metric, series) in families() {
        writer.family(metric.name, metric.kind, metric.help);
        for shown in targets {
            if shown.is_stale && metric.kind == Kind::Gauge {
                continue;
            }
            series(
                &mut Series {
                    writer,
                    metric: &metric,
                    target: shown.target,
                    created: shown.calls.counted_from.map(f64::from),
                },
                shown.calls,
            );
        }
    }
}

/// Writes the series of one metric and one target.
type WriteSeries<W> = fn(&mut Series<'_, W>, &CallMetrics);

/// Which part of the tallies each call metric shows. All gauges in it are of calls that were seen
/// at the last success.
fn families<W: Writer>() -> [(Metric, WriteSeries<W>); 18] {
    [
        (catalog::WINDOW_CALLS, |out, calls| {
            for (call_type, place, count) in calls.tallies.window() {
                if let Position::In(status) = place {
                    out.value(&[&call_type, &status], count);
                }
            }
        }),
        (catalog::WINDOW_MISSING, |out, calls| {
            for (call_type, place, count) in calls.tallies.window() {
                if place == Position::Missing {
                    out.value(&[&call_type], count);
                }
            }
        }),
        (catalog::RECENT_CALLS, |out, calls| {
            out.by_one(&calls.recent)
        }),
        (catalog::OLDEST_PENDING, |out, calls| {
            for (call_type, status, uploaded) in &calls.oldest_pending {
                out.value(&[call_type, status], u64::from(*uploaded));
            }
        }),
        (catalog::SAMPLED, |out, calls| {
            out.manual(&calls.tallies, ManualKind::Inspect)
        }),
        (catalog::REVIEWED, |out, calls| {
            out.manual(&calls.tallies, ManualKind::Review)
        }),
        (catalog::APPEALED, |out, calls| {
            out.manual(&calls.tallies, ManualKind::Complain)
        }),
        (catalog::CALLS, |out, calls| {
            out.by_one(&calls.tallies.calls)
        }),
        (catalog::PROCESSED, |out, calls| {
            out.by_two(&calls.tallies.processed)
        }),
        (catalog::EXPIRED, |out, calls| {
            out.by_two(&calls.tallies.expired)
        }),
        (catalog::MISSING, |out, calls| {
            out.by_one(&calls.tallies.missing)
        }),
        (catalog::UNOBSERVED, |out, calls| {
            out.value(&[], calls.tallies.unobserved)
        }),
        (catalog::DURATION, |out, calls| {
            for (call_type, histogram) in &calls.tallies.duration {
                out.histogram(&[call_type], histogram);
            }
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
            out.by_role(&calls.tallies.silence)
        }),
        (catalog::SPEED, |out, calls| {
            out.by_role(&calls.tallies.speed)
        }),
        (catalog::RATIO, |out, calls| {
            out.by_role(&calls.tallies.ratio)
        }),
    ]
}

/// The series of one metric and one target.
struct Series<'a, W> {
    writer: &'a mut W,
    metric: &'a Metric,
    target: &'a str,
    created: Option<f64>,
}

impl<W: Writer> Series<'_, W> {
    fn by_one<A: Display>(&mut self, values: &BTreeMap<A, u64>) {
        for (a, value) in values {
            self.value(&[a], *value);
        }
    }

    /// The states of one kind; those of others are before and after it.
    fn manual(&mut self, tallies: &Tallies, wanted: ManualKind) {
        for ((kind, call_type, state), count) in &tallies.manual {
            if *kind == wanted {
                self.value(&[call_type, state], *count);
            }
        }
    }

    fn by_two<A: Display, B: Display>(&mut self, values: &BTreeMap<(A, B), u64>) {
        for ((a, b), value) in values {
            self.value(&[a, b], *value);
        }
    }

    fn by_role(&mut self, histograms: &BTreeMap<Role, Histogram>) {
        for (role, histogram) in histograms {
            self.histogram(&[role], histogram);
        }
    }

    fn value(&mut self, values: &[&dyn Display], value: u64) {
        let labels = self.labels(values);
        self.writer
            .value(&labels, Value::Whole(value), self.created);
    }

    fn histogram(&mut self, values: &[&dyn Display], histogram: &Histogram) {
        let labels = self.labels(values);
        let distribution = HistogramSnapshot {
            buckets: &mut histogram.buckets(),
            sum: histogram.sum(),
            count: histogram.count(),
            native: Some(histogram.native()),
            exemplars: histogram.exemplars(),
        };
        self.writer.histogram(&labels, distribution, self.created);
    }

    fn labels<'b>(&self, values: &'b [&'b dyn Display]) -> OfCalls<'b>
    where
        Self: 'b,
    {
        OfCalls {
            names: self.metric.labels,
            target: self.target,
            values,
        }
    }
}

/// The labels of a call metric, of which the first is always its target.
struct OfCalls<'a> {
    names: &'static [&'static str],
    target: &'a str,
    values: &'a [&'a dyn Display],
}

impl Labels for OfCalls<'_> {
    fn each(&self, take: &mut dyn FnMut(&str, &dyn Display)) {
        take(self.names[0], &self.target);
        for (name, value) in self.names[1..].iter().zip(self.values) {
            take(name, value);
        }
    }
}

/// The exporter's own series, without those that do not belong to the answer.
pub(super) fn own(writer: &mut impl Writer, own: &Gathered, which: ExporterSeries<'_>) {
    let names: HashSet<&str> = match which {
        ExporterSeries::With(names) => names.iter().copied().collect(),
        ExporterSeries::Only(name) => HashSet::from([name]),
    };
    let belongs = |metric: &&Gauged| match target_of(metric) {
        Some(target) => names.contains(target),
        None => matches!(which, ExporterSeries::With(_)),
    };
    for family in &own.families {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            // The exporter has no metrics of the other types.
            MetricType::SUMMARY | MetricType::UNTYPED => continue,
        };
        let mut series = family.get_metric().iter().filter(belongs).peekable();
        if series.peek().is_none() {
            continue;
        }
        writer.family(family.name(), kind, family.help());
        for metric in series {
            let created = Some(own.created(family, target_of(metric)));
            one(writer, kind, metric, created);
        }
    }
}

fn one(writer: &mut impl Writer, kind: Kind, metric: &Gauged, created: Option<f64>) {
    let labels = metric.get_label();
    let value = match kind {
        Kind::Counter => metric.get_counter().get_value(),
        Kind::Gauge => metric.get_gauge().get_value(),
        Kind::Histogram => {
            let histogram = metric.get_histogram();
            let count = histogram.get_sample_count();
            let finite = histogram.get_bucket().iter();
            let finite = finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
            let distribution = HistogramSnapshot {
                buckets: &mut finite.chain([(f64::INFINITY, count)]),
                sum: histogram.get_sample_sum(),
                count,
                native: None,
                exemplars: &[],
            };
            return writer.histogram(&labels, distribution, created);
        }
    };
    writer.value(&labels, Value::Number(value), created);
}

impl Labels for &[LabelPair] {
    fn each(&self, take: &mut dyn FnMut(&str, &dyn Display)) {
        for label in *self {
            take(label.name(), &label.value());
        }
    }
}

fn target_of(metric: &Gauged) -> Option<&str> {
    let labels = metric.get_label();
    let target = labels.iter().find(|label| label.name() == "target");
    target.map(|label| label.value())
}

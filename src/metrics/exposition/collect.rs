//! Selects the families and series of a response, and their order.

use std::collections::HashSet;
use std::fmt::Display;

use prometheus::proto::{self, LabelPair, MetricType};

use super::families::{Family, families};
use super::series::Series;
use super::writer::{HistogramSnapshot, Labels, Value, Writer};
use super::{ExporterSeries, TargetCallMetrics};
use crate::metrics::catalog::Kind;
use crate::metrics::exporter::ExporterSnapshot;

/// Writes the call metrics of these targets.
pub(super) fn call_metrics(writer: &mut impl Writer, targets: &[TargetCallMetrics<'_>]) {
    if targets.is_empty() {
        return;
    }
    for Family {
        metric,
        is_enabled,
        write_series,
    } in families()
    {
        if !(targets.iter()).any(|target| is_enabled(&target.calls.tallies)) {
            continue;
        }
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
        Kind::Summary => return,
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

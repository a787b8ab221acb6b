//! Selects the families and series of a response, and their order.

use std::fmt::Display;

use hashbrown::HashSet;

use super::families::{Family, families};
use super::series::Series;
use super::writer::{Labels, Observations, Value, Writer};
use super::{ExporterSeries, TargetCallMetrics};
use crate::metrics::catalog::Kind;
use crate::metrics::exporter::{ExporterMetrics, OwnSeries, Reading, Visitor};

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
    exporter: &ExporterMetrics,
    selection: ExporterSeries<'_>,
) {
    // Looked up for each series.
    let names: HashSet<&str> = match selection {
        ExporterSeries::With(names) => names.iter().copied().collect(),
        ExporterSeries::Only(name) => HashSet::from([name]),
    };
    let is_selected = |target: Option<&str>| match target {
        Some(target) => names.contains(target),
        None => matches!(selection, ExporterSeries::With(_)),
    };
    exporter.read(&is_selected, &mut Written(writer));
}

/// Writes what it visits.
struct Written<'a, W>(&'a mut W);

impl<W: Writer> Visitor for Written<'_, W> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.0.family(name, kind, help);
    }

    fn series(&mut self, series: &OwnSeries<'_>) {
        let created = Some(series.created);
        match &series.reading {
            Reading::Number(value) => self.0.value(series, Value::Float(*value), created),
            Reading::Histogram {
                buckets,
                sum,
                count,
            } => {
                let seen = Observations {
                    buckets: &mut buckets.iter().copied(),
                    sum: *sum,
                    count: *count,
                    native: None,
                    exemplars: &[],
                };
                self.0.observations(series, seen, created);
            }
        }
    }
}

impl Labels for OwnSeries<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &dyn Display)) {
        for (name, value) in self.labels() {
            visit(name, &value);
        }
    }
}

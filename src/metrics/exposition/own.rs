//! The exporter's own metrics as part of a response.

use std::fmt::Display;

use hashbrown::HashSet;

use super::Scope;
use super::writer::{Labels, Observations, Value, Writer};
use crate::metrics::catalog::Kind;
use crate::metrics::exporter::{ExporterMetrics, OwnSeries, Reading, Visitor};

/// Writes the selected series of the exporter's own metrics.
pub(super) fn exporter_metrics(
    writer: &mut impl Writer,
    exporter: &ExporterMetrics,
    names: &[&str],
    scope: Scope,
) {
    // Looked up for each series.
    let names: HashSet<&str> = names.iter().copied().collect();
    let is_selected = |target: Option<&str>| match target {
        Some(target) => names.contains(target),
        None => scope == Scope::Everything,
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

//! The exporter's own metrics as part of a response.

use std::fmt::Display;

use hashbrown::HashSet;

use super::Scope;
use super::writer::{Labels, Observations, Value, Writer};
use crate::metrics::exporter::{ExporterMetrics, OwnSeries, Reading};

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
    exporter.read(&is_selected, &mut |series| {
        if series.is_first {
            writer.family(series.name, series.kind, series.help);
        }
        let created = Some(series.created);
        match &series.reading {
            Reading::Number(value) => writer.value(series, Value::Float(*value), created),
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
                writer.observations(series, seen, created);
            }
        }
    });
}

impl Labels for OwnSeries<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &dyn Display)) {
        for (name, value) in self.labels() {
            visit(name, &value);
        }
    }
}

//! The exporter's own metrics, without a format.

use cec_exporter::metrics::catalog::Kind;
use cec_exporter::metrics::exporter::{ExporterMetrics, OwnSeries, Reading, Visitor};

/// Passes the name, labels and value of each counter and gauge.
pub(crate) fn each(metrics: &ExporterMetrics, visit: impl FnMut(&str, &[(&str, &str)], f64)) {
    let mut visiting = Visiting {
        name: String::new(),
        visit,
    };
    metrics.read(&|_| true, &mut visiting);
}

struct Visiting<F> {
    name: String,
    visit: F,
}

impl<F: FnMut(&str, &[(&str, &str)], f64)> Visitor for Visiting<F> {
    fn family(&mut self, name: &str, _: Kind, _: &str) {
        name.clone_into(&mut self.name);
    }

    fn series(&mut self, series: &OwnSeries<'_>) {
        if let Reading::Number(value) = series.reading {
            let labels: Vec<_> = series.labels().collect();
            (self.visit)(&self.name, &labels, value);
        }
    }
}

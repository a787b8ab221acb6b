//! The exporter's own metrics, without a format.

use cec_exporter::metrics::exporter::{ExporterMetrics, Reading};

/// Passes the name, labels and value of each counter and gauge.
pub(crate) fn each(metrics: &ExporterMetrics, mut visit: impl FnMut(&str, &[(&str, &str)], f64)) {
    metrics.read(&|_| true, &mut |series| {
        if let Reading::Number(value) = series.reading {
            let labels: Vec<_> = series.labels().collect();
            visit(series.name, &labels, value);
        }
    });
}

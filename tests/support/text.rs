//! The call metrics of a target as text.

use cec_exporter::metrics::exporter::Gathered;
use cec_exporter::metrics::exposition::{CallMetrics, ExporterSeries, Format, Shown, render};

pub(crate) fn text(target: &str, calls: &CallMetrics) -> String {
    let targets = [Shown::all(target, calls)];
    let text = render(
        Format::Text,
        &targets,
        &Gathered::default(),
        ExporterSeries::With(&[]),
    );
    String::from_utf8(text).unwrap()
}

//! The call metrics of a target as text.

use cec_exporter::metrics::exporter::ExporterSnapshot;
use cec_exporter::metrics::exposition::{
    CallMetrics, ExporterSeries, Format, TargetCallMetrics, render,
};

pub(crate) fn text(target: &str, calls: &CallMetrics) -> String {
    let targets = [TargetCallMetrics::new(target, calls)];
    let text = render(
        Format::Text,
        &targets,
        &ExporterSnapshot::default(),
        ExporterSeries::With(&[]),
    );
    String::from_utf8(text).unwrap()
}

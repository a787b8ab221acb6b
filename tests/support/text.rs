//! The call metrics of a target as text.

use cec_exporter::metrics::exposition::{
    CallMetrics, ExporterSeries, Format, TargetCallMetrics, render,
};

pub(crate) fn text(target: &str, calls: &CallMetrics) -> String {
    let targets = [TargetCallMetrics::new(target, calls)];
    let text = render(Format::Text, &targets, None, ExporterSeries::With(&[]));
    String::from_utf8(text).unwrap()
}

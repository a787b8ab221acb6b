//! The call metrics of a target as text.

use cec_exporter::metrics::exposition::{CallMetrics, Format, Response, TargetCallMetrics};

pub(crate) fn text(target: &str, calls: &CallMetrics) -> String {
    let targets = [TargetCallMetrics::new(target, calls)];
    let text = Response::new(Format::Text, &targets).render();
    String::from_utf8(text).unwrap()
}

//! The call metrics of a target as text.

use cec_exporter::metrics::exporter::Gathered;
use cec_exporter::metrics::exposition::{CallMetrics, Format, Own, render};

pub(crate) fn text(target: &str, calls: &CallMetrics) -> String {
    let targets = [(target, calls)];
    let text = render(Format::Text, &targets, &Gathered::default(), Own::With(&[]));
    String::from_utf8(text).unwrap()
}

//! The call metrics of a target as text, and files of what is expected.

use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::metrics::exposition::{CallMetrics, Format, Response, Scope, TargetCallMetrics};

pub(crate) fn text(target: &str, calls: &CallMetrics) -> String {
    let targets = [TargetCallMetrics::new(target, calls)];
    let response = Response {
        format: Format::Text,
        created_lines: false,
        targets: &targets,
        exporter: (&ExporterMetrics::new(Build::default(), 0.0), &[]),
        scope: Scope::TargetOnly,
    };
    String::from_utf8(response.render()).unwrap()
}

/// Compares with a file in `tests/golden`, which `UPDATE_GOLDEN=1` writes anew.
#[track_caller]
pub(crate) fn assert_golden(file: &str, text: &str) {
    let path = format!("tests/golden/{file}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(
        text == golden,
        "{path} differs; UPDATE_GOLDEN=1 writes it anew:\n{text}"
    );
}

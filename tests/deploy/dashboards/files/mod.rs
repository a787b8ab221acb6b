//! The dashboards, checked against the list of metrics and against what Grafana needs.

mod panels;
mod queries;
mod variables;

use crate::support::boards::{Board, Used, metrics_in, text};
use cec_exporter::metrics::catalog::{self, Kind, Metric};

/// The metric of the catalog that a series belongs to.
fn metric_of(series: &str) -> Option<&'static Metric> {
    catalog::ALL.iter().find(|metric| match metric.kind {
        // Native ones have no suffix.
        Kind::Histogram => ["_bucket", "_sum", "_count", ""]
            .iter()
            .any(|suffix| series.strip_suffix(suffix) == Some(metric.name)),
        Kind::Summary => ["_sum", "_count"]
            .iter()
            .any(|suffix| series.strip_suffix(suffix) == Some(metric.name)),
        _ => series == metric.name,
    })
}

/// Every use of a metric on a board, with the place of the query.
fn used_on(board: &Board) -> Vec<(String, Used)> {
    let queries = board.queries().into_iter().chain(board.annotations());
    queries
        .flat_map(|query| {
            let place = query.place;
            let metrics = metrics_in(&query.expr).into_iter();
            metrics.map(move |used| (place.clone(), used))
        })
        .collect()
}

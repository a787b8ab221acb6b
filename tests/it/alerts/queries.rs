//! Queries as Grafana sends them.

use super::now;
use crate::support::boards::Query;
use crate::support::prometheus_server::{Prometheus, Series};
use crate::support::shown::filled_with;

/// All of everything, as a board opens.
pub(crate) const ALL: &[(&str, &str)] = &[
    ("__rate_interval", "15s"),
    ("__range", "30s"),
    ("__interval", "1m"),
    ("cluster", ".*"),
    ("target", ".*"),
    ("call_type", ".*"),
    ("role", ".*"),
    ("job", "cec_exporter"),
    ("fast", "300"),
    ("slow", "120"),
];
/// Several of some, one of others, and other limits.
pub(crate) const SOME: &[(&str, &str)] = &[
    ("__rate_interval", "15s"),
    ("__range", "30s"),
    ("__interval", "1m"),
    ("cluster", "(north|south)"),
    ("target", "(healthy|failing|limited)"),
    ("call_type", "(voice|text)"),
    ("role", "customer"),
    ("job", "(cec_exporter|other)"),
    ("fast", "240"),
    ("slow", "150"),
];

pub(crate) fn ask(prometheus: &Prometheus, query: &Query, chosen: &[(&str, &str)]) -> Vec<Series> {
    let expr = filled_with(&query.expr, chosen);
    let now = now();
    let answer = if query.instant {
        prometheus.query(&expr, now)
    } else {
        prometheus.query_range(&expr, now - 10.0, now)
    };
    let mut series = answer.unwrap_or_else(|error| panic!("{}: {error}\n{expr}", query.place));
    series.retain(|series| !series.values.is_empty());
    series
}

//! The exporter's own metrics of one target.

use std::sync::Arc;

use super::family::{Cell, Families};
use crate::metrics::catalog::{self, Metric};

/// The exporter's own metrics of one target. Times are Unix seconds. Values of labels are those after
/// the target, in the order of the catalog.
///
/// Gauges that have no value before an event, such as the frontier, have no series before it: a
/// frontier of 1970 would trigger alerts.
#[derive(Clone)]
pub struct TargetMetrics {
    name: String,
    all: Arc<Families>,
}

impl TargetMetrics {
    pub(super) fn new(name: &str, all: Arc<Families>) -> Self {
        let name = name.to_owned();
        Self { name, all }
    }

    /// Creates a series at 0.
    pub fn create(&self, metric: Metric, labels: &[&str]) {
        self.cell(metric, labels);
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, value: f64) {
        self.cell(metric, &[]).set(value);
    }

    /// Sets a gauge; `None` removes its series.
    pub fn set_optional(&self, metric: Metric, value: Option<f64>) {
        match value {
            Some(value) => self.set(metric, value),
            None => self.all.by_name[metric.name].remove(&[&self.name]),
        }
    }

    /// Adds to a counter.
    pub fn add(&self, metric: Metric, labels: &[&str], more: f64) {
        self.cell(metric, labels).add(more);
    }

    /// Observes a value of a histogram.
    pub fn observe(&self, metric: Metric, labels: &[&str], value: f64) {
        self.cell(metric, labels).observe(value);
    }

    /// Counts a request and observes its duration.
    pub fn request(&self, api: &str, code: &str, seconds: f64) {
        self.add(catalog::API_REQUESTS, &[api, code], 1.0);
        self.observe(catalog::API_REQUEST_DURATION, &[api], seconds);
    }

    /// Replaces the `cec_target_info`.
    pub fn set_info(&self, endpoint: &str, call_types: &str) {
        self.all.by_name[catalog::TARGET_INFO.name].remove_of(|target| target == self.name);
        self.cell(catalog::TARGET_INFO, &[endpoint, call_types])
            .set(1.0);
    }

    fn cell(&self, metric: Metric, labels: &[&str]) -> Cell {
        self.all
            .cell(metric, &[&[self.name.as_str()], labels].concat())
    }
}

//! The exporter's own metrics of one target.

use std::sync::Arc;

use prometheus::Histogram;

use super::family::{Counter, Family, Gauge};
use crate::metrics::tallies::FoldedCounts;
use crate::model::UnixSeconds;

/// The exporter's own metrics of one target. Times are Unix seconds.
///
/// Gauges that have no value before an event, such as the frontier, are families, so that their series
/// starts with that event: a frontier of 1970 would trigger alerts.
#[derive(Clone)]
pub struct TargetMetrics {
    pub(super) name: String,
    pub up: Gauge,
    pub window: Gauge,
    pub pull_duration: Histogram,
    pub ledger_calls: Gauge,
    pub ledger_limit: Gauge,
    pub storage_bytes: Gauge,
    pub min_pull_interval: Gauge,
    pub early_scrapes: Counter,
    pub(super) next_pull: Arc<Family<Gauge>>,
    pub(super) unproven: Arc<Family<Counter>>,
    pub(super) reconciled: Arc<Family<Gauge>>,
    pub(super) clock_skew: Arc<Family<Gauge>>,
    pub(super) folded_teams: Arc<Family<Gauge>>,
    pub(super) folded_agents: Arc<Family<Gauge>>,
    pub(super) folded_rules: Arc<Family<Gauge>>,
    pub(super) results: Arc<Family<Counter>>,
    pub(super) results_pending: Arc<Family<Gauge>>,
    pub(super) oldest_result: Arc<Family<Gauge>>,
    pub(super) teams_file_ok: Arc<Family<Gauge>>,
    pub(super) frontier: Arc<Family<Gauge>>,
    pub(super) last_success: Arc<Family<Gauge>>,
    pub(super) token_expiry: Arc<Family<Gauge>>,
    pub(super) pull_failures: Arc<Family<Counter>>,
    pub(super) api_requests: Arc<Family<Counter>>,
    pub(super) api_request_duration: Arc<Family<Histogram>>,
    pub(super) api_retries: Arc<Family<Counter>>,
    pub(super) rejected: Arc<Family<Counter>>,
}

impl TargetMetrics {
    pub fn set_frontier(&self, time: f64) {
        self.frontier.with_label_values(&[&self.name]).set(time);
    }

    pub fn set_last_success(&self, time: f64) {
        self.last_success.with_label_values(&[&self.name]).set(time);
    }

    pub fn set_next_pull(&self, time: f64) {
        self.next_pull.with_label_values(&[&self.name]).set(time);
    }

    pub fn set_reconciled(&self, time: f64) {
        self.reconciled.with_label_values(&[&self.name]).set(time);
    }

    pub fn set_clock_skew(&self, seconds: f64) {
        self.clock_skew
            .with_label_values(&[&self.name])
            .set(seconds);
    }

    /// Sets how many are counted under `other`; removes the series of what is not counted.
    pub fn set_folded(&self, folded: FoldedCounts) {
        for (gauge, folded) in [
            (&self.folded_teams, folded.teams),
            (&self.folded_agents, folded.agents),
            (&self.folded_rules, folded.rules),
        ] {
            set_optional(gauge, &self.name, folded.map(|count| count as f64));
        }
    }

    /// Sets how many results are still to be requested, and the upload time of the oldest of these
    /// calls; removes the series if there is none.
    pub fn set_results_pending(&self, pending: Option<usize>, oldest: Option<UnixSeconds>) {
        set_optional(
            &self.results_pending,
            &self.name,
            pending.map(|count| count as f64),
        );
        set_optional(&self.oldest_result, &self.name, oldest.map(f64::from));
    }

    /// Counts requested results. The outcome is one of [`super::RESULT_OUTCOMES`].
    pub fn count_results(&self, outcome: &str, count: usize) {
        self.results
            .with_label_values(&[&self.name, outcome])
            .inc_by(count as f64);
    }

    /// Whether the last reading of a changed file of teams succeeded; `None` removes the series.
    pub fn set_teams_file_ok(&self, is_ok: Option<bool>) {
        set_optional(
            &self.teams_file_ok,
            &self.name,
            is_ok.map(|ok| if ok { 1.0 } else { 0.0 }),
        );
    }

    /// What [`TargetMetrics::set_teams_file_ok`] has set.
    pub fn is_teams_file_ok(&self) -> bool {
        self.teams_file_ok.with_label_values(&[&self.name]).get() == 1.0
    }

    /// Counts a window that was not proved complete. The reason is one of [`super::UNPROVEN_REASONS`].
    pub fn unproven(&self, reason: &str) {
        self.unproven.with_label_values(&[&self.name, reason]).inc();
    }

    pub fn set_token_expiry(&self, time: f64) {
        self.token_expiry.with_label_values(&[&self.name]).set(time);
    }

    pub fn pull_failed(&self, reason: &str) {
        self.pull_failures
            .with_label_values(&[&self.name, reason])
            .inc();
    }

    /// Counts a request and observes its duration.
    pub fn request(&self, api: &str, code: &str, seconds: f64) {
        self.api_requests
            .with_label_values(&[&self.name, api, code])
            .inc();
        self.api_request_duration
            .with_label_values(&[&self.name, api])
            .observe(seconds);
    }

    pub fn retry(&self, api: &str) {
        self.api_retries.with_label_values(&[&self.name, api]).inc();
    }

    pub fn reject(&self, reason: &str, count: u64) {
        self.rejected
            .with_label_values(&[&self.name, reason])
            .inc_by(count as f64);
    }
}

fn set_optional(gauge: &Family<Gauge>, target: &str, value: Option<f64>) {
    match value {
        Some(value) => gauge.with_label_values(&[target]).set(value),
        None => gauge.remove_label_values(&[target]),
    }
}

//! Statistics of requests and responses.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests by API (`token`, `details`, `credit`) and result: an HTTP status, or the name of a fault
    /// (`envelope`, `null_data`, `no_data`, `bare_empty`, `not_json`, `cut_body`, `reset`).
    pub requests: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Rows on all pages.
    pub rows: u64,
    /// Maximum number of requests for pages within a second of the clock.
    pub peak_details_per_second: u32,
    /// The same for inspection results.
    pub peak_credit_per_second: u32,
    /// Requests that the HTTP server is processing.
    pub in_flight: u32,
    /// Maximum of `in_flight`.
    pub peak_in_flight: u32,
}

impl Stats {
    /// Requests to an API with this result.
    pub fn count(&self, api: &str, result: &str) -> u64 {
        let results = self.requests.get(api);
        results
            .and_then(|results| results.get(result))
            .copied()
            .unwrap_or(0)
    }

    /// All requests to an API.
    pub fn total(&self, api: &str) -> u64 {
        let results = self.requests.get(api);
        results.map_or(0, |results| results.values().sum())
    }

    pub(super) fn add(&mut self, api: &'static str, result: String) {
        let results = self.requests.entry(api).or_default();
        *results.entry(result).or_default() += 1;
    }
}

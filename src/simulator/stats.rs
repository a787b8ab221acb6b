//! What was asked of the simulator, and how it answered.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests by api (`token`, `details`, `detail`) and answer: an HTTP status, or the name of
    /// a broken answer (`envelope`, `null_data`, `no_data`, `bare_empty`, `not_json`, `cut_body`,
    /// `reset`).
    pub requests: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Calls listed on all pages together.
    pub rows: u64,
    /// The most requests for pages in any one second of the clock.
    pub peak_details_per_second: u32,
    /// Requests being answered now, by the HTTP server.
    pub in_flight: u32,
    /// The most there were at once.
    pub peak_in_flight: u32,
}

impl Stats {
    /// Requests to an api with this answer.
    pub fn count(&self, api: &str, answer: &str) -> u64 {
        self.requests
            .get(api)
            .and_then(|answers| answers.get(answer))
            .copied()
            .unwrap_or(0)
    }

    /// All requests to an api.
    pub fn total(&self, api: &str) -> u64 {
        self.requests
            .get(api)
            .map_or(0, |answers| answers.values().sum())
    }

    pub(super) fn add(&mut self, api: &'static str, answer: String) {
        *self
            .requests
            .entry(api)
            .or_default()
            .entry(answer)
            .or_default() += 1;
    }
}

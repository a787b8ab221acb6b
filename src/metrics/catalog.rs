//! The metrics: name, type, labels, buckets and help. Tests compare the documentation, dashboards and
//! rules with this catalog.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// Without quantiles: only the number of observations and their sum.
    Summary,
}

impl Kind {
    /// The name in a `# TYPE` line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// In the order of the exposition.
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// Upper bounds of the buckets of a histogram, without the infinite one.
    pub bounds: &'static [f64],
}

macro_rules! catalog {
    ($($constant:ident $name:literal $kind:ident $labels:expr, $bounds:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &$labels,
                help: $help,
                bounds: $bounds,
            };
        )*
        /// All metrics but `process_*`, in the order of the documentation.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

/// Calls last from seconds to hours; agents' targets lie between one and ten minutes.
const DURATIONS: &[f64] = &[
    15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0,
];
/// Silence is part of the call, so the scale is that of durations without the hours.
const SILENCES: &[f64] = &[
    1.0, 5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 600.0, 1200.0,
];
/// Processing usually takes two to ten minutes, sometimes hours, and at most the lookback.
const PROCESSING: &[f64] = &[
    60.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0,
    28800.0, 86400.0,
];
/// Finer below the default `overlap` of ten minutes; later calls wait for a reconcile.
const LISTING_DELAYS: &[f64] = &[
    15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0,
];
/// Below 120 is slow, above 300 is fast; most people speak at 180 to 260.
const SPEEDS: &[f64] = &[
    60.0, 90.0, 120.0, 150.0, 180.0, 200.0, 220.0, 240.0, 260.0, 280.0, 300.0, 330.0, 360.0, 420.0,
];
const RATIOS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
/// Most calls lose a few points; below 60 is a bad one.
const SCORES: &[f64] = &[
    20.0, 40.0, 50.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 99.0, 100.0,
];
/// From a fast response to the request timeout.
const REQUESTS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From a pull of one request to a cold start, which takes minutes.
const PULLS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

catalog! {
    UP "cec_up" Gauge ["target"], &[],
        "1 if the last pull succeeded; 0 if it failed, or if none has ended yet.";
    WINDOW "cec_window_seconds" Gauge ["target"], &[],
        "Length of the lookback: the window of upload times that the gauges of calls cover.";
    TARGET_INFO "cec_target_info" Gauge ["target", "endpoint", "call_types"], &[],
        "Endpoint and call types of the target; always 1.";
    WINDOW_CALLS "cec_window_calls" Gauge ["target", "call_type", "status"], &[],
        "Listed calls uploaded within the lookback, by last seen status.";
    WINDOW_MISSING "cec_window_missing_calls" Gauge ["target", "call_type"], &[],
        "Calls uploaded within the lookback that are no longer listed.";
    RECENT_CALLS "cec_recent_calls" Gauge ["target", "call_type"], &[],
        "Calls uploaded in the hour before the frontier.";
    OLDEST_PENDING "cec_oldest_pending_call_timestamp_seconds" Gauge
        ["target", "call_type", "status"], &[],
        "Upload time of the oldest call in the lookback in each status that is not final.";
    SAMPLED "cec_window_sampled_calls" Gauge ["target", "call_type", "state"], &[],
        "Calls in the lookback sampled for manual inspection, by inspect_status.";
    REVIEWED "cec_window_reviewed_calls" Gauge ["target", "call_type", "state"], &[],
        "Calls in the lookback with a manual review, by review_status.";
    APPEALED "cec_window_appealed_calls" Gauge ["target", "call_type", "state"], &[],
        "Calls in the lookback whose result the agent appealed, by complain_status.";
    CALLS "cec_calls_total" Counter ["target", "call_type"], &[],
        "Distinct calls seen in the list.";
    PROCESSED "cec_calls_processed_total" Counter ["target", "call_type", "status"], &[],
        "Calls that reached a final status, by first final status; each call counts once.";
    EXPIRED "cec_calls_expired_total" Counter ["target", "call_type", "status"], &[],
        "Calls that left the lookback without reaching a final status, by last seen status.";
    MISSING "cec_calls_missing_total" Counter ["target", "call_type"], &[],
        "How often calls disappeared from the list.";
    UNOBSERVED "cec_calls_processing_unobserved_total" Counter ["target"], &[],
        "Processed calls not observed in cec_call_processing_seconds, because the list had not been read recently or the call had been missing.";
    DURATION "cec_call_duration_seconds" Histogram ["target", "call_type"], DURATIONS,
        "Duration of calls, observed when a call first succeeds.";
    PROCESSING_TIME "cec_call_processing_seconds" Histogram ["target", "call_type", "outcome"],
        PROCESSING,
        "Time from the upload of a call until it is first seen in a final status; not for calls that were final when first seen.";
    LISTING_DELAY "cec_call_listing_delay_seconds" Histogram ["target"], LISTING_DELAYS,
        "Time from the upload of a call until it is first seen in the list; overstated by up to one pull interval.";
    SILENCE "cec_call_silence_seconds" Histogram ["target", "role"], SILENCES,
        "Time in which a speaker is silent, including while the other one speaks, observed when a voice call first succeeds.";
    SPEED "cec_call_speech_characters_per_minute" Histogram ["target", "role"], SPEEDS,
        "Mean speaking speed of a speaker, observed when a voice call first succeeds.";
    RATIO "cec_call_speech_ratio" Histogram ["target", "role"], RATIOS,
        "Share of the call in which a speaker speaks, observed when a voice call first succeeds.";
    TEAM_PROCESSED "cec_team_calls_processed_total" Counter
        ["target", "team", "call_type", "status"], &[],
        "Calls that reached a final status, by the agent's team and first final status.";
    TEAM_DURATION "cec_team_call_duration_seconds" Histogram ["target", "team", "call_type"],
        DURATIONS,
        "Duration of calls by the agent's team, observed when a call first succeeds.";
    TEAM_SILENCE "cec_team_call_silence_seconds" Histogram ["target", "team"], SILENCES,
        "Time in which the agent is silent, by team, observed when a voice call first succeeds.";
    TEAM_SPEED "cec_team_call_speech_characters_per_minute" Histogram ["target", "team"], SPEEDS,
        "Mean speaking speed of the agent, by team, observed when a voice call first succeeds.";
    TEAM_RATIO "cec_team_call_speech_ratio" Histogram ["target", "team"], RATIOS,
        "Share of the call in which the agent speaks, by team, observed when a voice call first succeeds.";
    AGENT_PROCESSED "cec_agent_calls_processed_total" Counter
        ["target", "staff_id", "call_type", "status"], &[],
        "Calls that reached a final status, by agent and first final status.";
    AGENT_DURATION "cec_agent_call_duration_seconds" Summary ["target", "staff_id", "call_type"], &[],
        "Duration of calls by agent, observed when a call first succeeds.";
    AGENT_SILENCE "cec_agent_call_silence_seconds" Summary ["target", "staff_id"], &[],
        "Time in which the agent is silent, observed when a voice call first succeeds.";
    AGENT_SPEED "cec_agent_call_speech_characters_per_minute" Summary ["target", "staff_id"], &[],
        "Mean speaking speed of the agent, observed when a voice call first succeeds.";
    AGENT_RATIO "cec_agent_call_speech_ratio" Summary ["target", "staff_id"], &[],
        "Share of the call in which the agent speaks, observed when a voice call first succeeds.";
    SCORE "cec_call_score" Histogram ["target", "scenario"], SCORES,
        "Points of the automatic inspection, from 0 to 100, by business scenario.";
    RULES "cec_call_rules_total" Counter ["target", "scenario", "kind", "rule", "result"], &[],
        "Inspected calls by rule and result, kept or violated; a manual revision replaces the automatic result.";

    BUILD_INFO "cec_exporter_build_info" Gauge ["version", "revision", "rustc"], &[],
        "Version, source revision and compiler of the exporter; always 1.";
    FRONTIER "cec_exporter_frontier_timestamp_seconds" Gauge ["target"], &[],
        "Upload time up to which the list of calls has been read completely, except for skipped windows; goes back while earlier calls have to be read.";
    LAST_SUCCESS "cec_exporter_last_success_timestamp_seconds" Gauge ["target"], &[],
        "End of the last successful pull; after a restart, start of the last pull that left no gap, until the next one succeeds.";
    PULL_DURATION "cec_exporter_pull_duration_seconds" Histogram ["target"], PULLS,
        "Duration of pulls from the vendor, successful or not.";
    PULL_FAILURES "cec_exporter_pull_failures_total" Counter ["target", "reason"], &[],
        "Failed pulls and failed comparisons of the lookback, by reason.";
    NEXT_PULL "cec_exporter_next_pull_timestamp_seconds" Gauge ["target"], &[],
        "Earliest time at which a scrape starts the next pull.";
    MIN_PULL_INTERVAL "cec_exporter_min_pull_interval_seconds" Gauge ["target"], &[],
        "Minimum interval between pulls (min_pull_interval).";
    EARLY_SCRAPES "cec_exporter_scrapes_before_pull_end_total" Counter ["target"], &[],
        "Scrapes answered at their deadline, before the pull ended.";
    UNPROVEN "cec_exporter_windows_unproven_total" Counter ["target", "reason"], &[],
        "Windows of the list that were not proved complete or were skipped, by reason.";
    RECONCILED "cec_exporter_reconcile_timestamp_seconds" Gauge ["target"], &[],
        "Time at which the last completed comparison of the whole lookback began.";
    RELOAD_OK "cec_exporter_config_last_reload_successful" Gauge [], &[],
        "Whether the last configuration load succeeded (1) or failed (0).";
    RELOAD_TIME "cec_exporter_config_last_reload_success_timestamp_seconds" Gauge [], &[],
        "Time of the last successful configuration load.";
    SHARD_ORDINAL "cec_exporter_shard_ordinal" Gauge [], &[],
        "Ordinal of this shard, from 0.";
    TOTAL_SHARDS "cec_exporter_total_shards" Gauge [], &[],
        "Number of shards, as configured on this instance.";
    API_REQUESTS "cec_exporter_api_requests_total" Counter ["target", "api", "code"], &[],
        "Requests to the vendor, by HTTP status code or kind of failure.";
    API_REQUEST_DURATION "cec_exporter_api_request_duration_seconds" Histogram ["target", "api"],
        REQUESTS,
        "Time from sending a request to the vendor until the last byte of the response.";
    API_RETRIES "cec_exporter_api_retries_total" Counter ["target", "api"], &[],
        "Retries of failed requests to the vendor.";
    REJECTED "cec_exporter_records_rejected_total" Counter ["target", "reason"], &[],
        "Records that could not be used, or (measure) single values of usable records, by reason.";
    TOKEN_EXPIRY "cec_exporter_token_expiry_timestamp_seconds" Gauge ["target"], &[],
        "Expiry time of the current access token, by the local clock.";
    LEDGER_CALLS "cec_exporter_ledger_calls" Gauge ["target"], &[],
        "Calls in the ledger.";
    LEDGER_LIMIT "cec_exporter_ledger_calls_limit" Gauge ["target"], &[],
        "Maximum number of calls in the ledger (max_calls).";
    STORAGE_BYTES "cec_exporter_storage_bytes" Gauge ["target"], &[],
        "Size of the ledger file on disk; 0 for a ledger in memory.";
    FOLDED_TEAMS "cec_exporter_folded_teams" Gauge ["target"], &[],
        "Teams of teams_file that are counted under other, because max_teams is reached.";
    FOLDED_AGENTS "cec_exporter_folded_agents" Gauge ["target"], &[],
        "Agents seen since the start that are counted under other, because max_agents is reached.";
    FOLDED_RULES "cec_exporter_folded_rules" Gauge ["target"], &[],
        "Rules seen since the start that are counted under other, because max_rules is reached.";
    RESULTS "cec_exporter_results_total" Counter ["target", "outcome"], &[],
        "Inspection results by outcome: counted, empty, failed (retried later) or expired (given up).";
    RESULTS_PENDING "cec_exporter_results_pending" Gauge ["target"], &[],
        "Calls whose inspection result is still to be requested.";
    OLDEST_RESULT "cec_exporter_results_oldest_pending_timestamp_seconds" Gauge ["target"], &[],
        "Upload time of the oldest call whose inspection result is still to be requested.";
    TEAMS_FILE_OK "cec_exporter_teams_file_last_reload_successful" Gauge ["target"], &[],
        "Whether the last reading of a changed teams_file succeeded (1) or failed (0).";
    CLOCK_SKEW "cec_exporter_clock_skew_seconds" Gauge ["target"], &[],
        "Local clock minus the vendor's clock, by the Date header of its responses.";

    HANDLER_REQUESTS "promhttp_metric_handler_requests_total" Counter ["code"], &[],
        "Scrapes and probes answered, by HTTP status code.";
    HANDLER_IN_FLIGHT "promhttp_metric_handler_requests_in_flight" Gauge [], &[],
        "Scrapes and probes currently being served.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_bounds_and_help_follow_the_conventions() {
        let mut names: Vec<&str> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len(), "duplicate name");
        for metric in ALL {
            let counter = metric.kind == Kind::Counter;
            assert_eq!(metric.name.ends_with("_total"), counter, "{}", metric.name);
            assert_eq!(
                !metric.bounds.is_empty(),
                metric.kind == Kind::Histogram,
                "{}",
                metric.name
            );
            assert!(metric.bounds.is_sorted(), "{}", metric.name);
            // `le` follows another label.
            let has_labels = !metric.labels.is_empty();
            let is_histogram = metric.kind == Kind::Histogram;
            assert!(has_labels || !is_histogram, "{}", metric.name);
            // Within this range every library formats numbers without an exponent.
            let plain = metric.bounds.iter().all(|b| (1e-4..1e6).contains(b));
            assert!(plain, "{}", metric.name);
            assert!(
                metric.help.ends_with('.')
                    && metric.help.len() > 15
                    // Characters that a format would have to escape.
                    && !metric.help.contains(['\\', '"', '\n']),
                "{}",
                metric.name
            );
        }
    }
}

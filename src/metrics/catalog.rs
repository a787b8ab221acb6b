//! Every metric there is, once: name, type, labels and help. The exposition, the documentation and
//! the checks of dashboards and rules are all held against this list.

/// What kind of time series a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only goes up, or back to 0 when what holds it starts over.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket, with a sum.
    Histogram,
}

impl Kind {
    /// The word of the `# TYPE` line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its name, with its unit and for counters `_total`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, in the order of the exposition.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
    /// Upper bounds of its buckets, if it is a histogram.
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
        /// All of them, in the order of the documentation, but those of the process, which follow
        /// the standard of Prometheus's client libraries.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

/// A call lasts from seconds to hours; agents' targets lie between one and ten minutes.
const DURATIONS: &[f64] = &[
    15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0,
];
/// Silence is a part of the call, so it has the same scale, but for the hours.
const SILENCES: &[f64] = &[
    1.0, 5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 600.0, 1200.0,
];
/// The pipeline usually takes two to ten minutes, sometimes hours, and at most the lookback.
const PROCESSING: &[f64] = &[
    60.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0,
    28800.0, 86400.0,
];
/// Finer below the default `overlap` of ten minutes; beyond it, calls wait for a reconcile.
const LISTING_DELAYS: &[f64] = &[
    15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0,
];
/// Below 120 is slow and over 300 fast; most people speak between 180 and 260.
const SPEEDS: &[f64] = &[
    60.0, 90.0, 120.0, 150.0, 180.0, 200.0, 220.0, 240.0, 260.0, 280.0, 300.0, 330.0, 360.0, 420.0,
];
const RATIOS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
/// A request takes milliseconds to the timeout.
const REQUESTS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// A pull takes a request to, at a cold start, minutes.
const PULLS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

catalog! {
    UP "cec_up" Gauge ["target"], &[],
        "Whether the last pull from the vendor that ended succeeded (1) or not (0).";
    WINDOW "cec_window_seconds" Gauge ["target"], &[],
        "Lookback window covered by the gauges.";
    TARGET_INFO "cec_target_info" Gauge ["target", "endpoint", "call_types"], &[],
        "The target's endpoint and the types of call that are asked for; always 1.";
    WINDOW_CALLS "cec_window_calls" Gauge ["target", "call_type", "status"], &[],
        "Calls uploaded within the lookback and still listed, by the status last seen.";
    WINDOW_MISSING "cec_window_missing_calls" Gauge ["target", "call_type"], &[],
        "Calls uploaded within the lookback that are no longer listed.";
    RECENT_CALLS "cec_recent_calls" Gauge ["target", "call_type"], &[],
        "Calls uploaded in the hour before the frontier.";
    OLDEST_PENDING "cec_oldest_pending_call_timestamp_seconds" Gauge
        ["target", "call_type", "status"], &[],
        "Upload time of the oldest call in the lookback in each status that is not final.";
    SAMPLED "cec_window_sampled_calls" Gauge ["target", "call_type", "state"], &[],
        "Calls in the lookback that were sampled for manual inspection, by inspect_status.";
    REVIEWED "cec_window_reviewed_calls" Gauge ["target", "call_type", "state"], &[],
        "Calls in the lookback that have a manual review, by review_status.";
    APPEALED "cec_window_appealed_calls" Gauge ["target", "call_type", "state"], &[],
        "Calls in the lookback whose result the agent appealed against, by complain_status.";
    CALLS "cec_calls_total" Counter ["target", "call_type"], &[],
        "Distinct calls seen.";
    PROCESSED "cec_calls_processed_total" Counter ["target", "call_type", "status"], &[],
        "Calls that reached a final status, once per call, by the first final status seen.";
    EXPIRED "cec_calls_expired_total" Counter ["target", "call_type", "status"], &[],
        "Calls that left the lookback without ever having been final, by the status last seen.";
    MISSING "cec_calls_missing_total" Counter ["target", "call_type"], &[],
        "Times that a call was found to be no longer listed.";
    UNOBSERVED "cec_calls_processing_unobserved_total" Counter ["target"], &[],
        "Processed calls left out of cec_call_processing_seconds because the list was not read for too long before.";
    DURATION "cec_call_duration_seconds" Histogram ["target", "call_type"], DURATIONS,
        "Duration of calls, once per call, when it was first seen as succeeded.";
    PROCESSING_TIME "cec_call_processing_seconds" Histogram ["target", "call_type", "outcome"],
        PROCESSING,
        "Time from the upload of a call to when it was first seen in a final status.";
    LISTING_DELAY "cec_call_listing_delay_seconds" Histogram ["target"], LISTING_DELAYS,
        "Time from the upload of a call to when it was first seen in the list; up to a pull interval too long.";
    SILENCE "cec_call_silence_seconds" Histogram ["target", "role"], SILENCES,
        "Time in which a speaker is silent, the other's talking included, once per voice call.";
    SPEED "cec_call_speech_characters_per_minute" Histogram ["target", "role"], SPEEDS,
        "Mean speaking speed of a speaker, once per voice call, when it first succeeded.";
    RATIO "cec_call_speech_ratio" Histogram ["target", "role"], RATIOS,
        "Share of the call in which a speaker speaks, once per voice call, when it first succeeded.";

    BUILD_INFO "cec_exporter_build_info" Gauge ["version", "revision", "rustc"], &[],
        "What the exporter was built from; always 1.";
    FRONTIER "cec_exporter_frontier_timestamp_seconds" Gauge ["target"], &[],
        "The list of calls was read completely up to this upload time.";
    LAST_SUCCESS "cec_exporter_last_success_timestamp_seconds" Gauge ["target"], &[],
        "When the last pull that succeeded ended.";
    PULL_DURATION "cec_exporter_pull_duration_seconds" Histogram ["target"], PULLS,
        "Time that pulls from the vendor took, whether they succeeded or not.";
    PULL_FAILURES "cec_exporter_pull_failures_total" Counter ["target", "reason"], &[],
        "Pulls from the vendor that failed, by reason.";
    NEXT_PULL "cec_exporter_next_pull_timestamp_seconds" Gauge ["target"], &[],
        "From when on a scrape starts the next pull.";
    MIN_PULL_INTERVAL "cec_exporter_min_pull_interval_seconds" Gauge ["target"], &[],
        "The configured min_pull_interval.";
    EARLY_SCRAPES "cec_exporter_scrapes_before_pull_end_total" Counter ["target"], &[],
        "Scrapes answered at their deadline, before the pull that they waited for had ended.";
    UNPROVEN "cec_exporter_windows_unproven_total" Counter ["target", "reason"], &[],
        "Windows of the list taken without proof that they are complete, or stepped over.";
    RECONCILED "cec_exporter_reconcile_timestamp_seconds" Gauge ["target"], &[],
        "Every call in the lookback was compared with the list again since then.";
    RELOAD_OK "cec_exporter_config_last_reload_successful" Gauge [], &[],
        "Whether the last attempt to load the configuration succeeded.";
    RELOAD_TIME "cec_exporter_config_last_reload_success_timestamp_seconds" Gauge [], &[],
        "When the configuration was last loaded with success.";
    SHARD_ORDINAL "cec_exporter_shard_ordinal" Gauge [], &[],
        "Which of the shards this instance is, from 0.";
    TOTAL_SHARDS "cec_exporter_total_shards" Gauge [], &[],
        "How many instances share the targets, as far as this one was told.";
    API_REQUESTS "cec_exporter_api_requests_total" Counter ["target", "api", "code"], &[],
        "Requests to the vendor, by HTTP status, or by what went wrong where that tells more.";
    API_REQUEST_DURATION "cec_exporter_api_request_duration_seconds" Histogram ["target", "api"],
        REQUESTS,
        "Time from sending a request to the vendor to the last byte of its answer.";
    API_RETRIES "cec_exporter_api_retries_total" Counter ["target", "api"], &[],
        "Requests to the vendor that failed and were sent again.";
    REJECTED "cec_exporter_records_rejected_total" Counter ["target", "reason"], &[],
        "Records of the vendor's that could not be used, or (measure) values of those that could.";
    TOKEN_EXPIRY "cec_exporter_token_expiry_timestamp_seconds" Gauge ["target"], &[],
        "When the access token in use expires, by the local clock.";
    LEDGER_CALLS "cec_exporter_ledger_calls" Gauge ["target"], &[],
        "Calls remembered.";
    LEDGER_LIMIT "cec_exporter_ledger_calls_limit" Gauge ["target"], &[],
        "The configured max_calls: calls remembered at most.";
    STORAGE_BYTES "cec_exporter_storage_bytes" Gauge ["target"], &[],
        "Size of the ledger's file on disk; 0 if it is kept in memory.";
    CLOCK_SKEW "cec_exporter_clock_skew_seconds" Gauge ["target"], &[],
        "How far the local clock is ahead of the vendor's, by the Date header of its answers.";

    HANDLER_REQUESTS "promhttp_metric_handler_requests_total" Counter ["code"], &[],
        "Scrapes that were answered, by HTTP status.";
    HANDLER_IN_FLIGHT "promhttp_metric_handler_requests_in_flight" Gauge [], &[],
        "Scrapes that are being answered.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_keeps_the_rules_of_the_field() {
        let mut names: Vec<&str> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len(), "a name is there twice");
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
            // Where all that write numbers spell them alike.
            let plain = metric.bounds.iter().all(|b| (1e-4..1e6).contains(b));
            assert!(plain, "{}", metric.name);
            assert!(
                metric.help.ends_with('.')
                    && metric.help.len() > 15
                    // What a format would have to escape.
                    && !metric.help.contains(['\\', '"', '\n']),
                "{}",
                metric.name
            );
        }
    }
}

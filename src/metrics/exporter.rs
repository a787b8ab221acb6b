//! The exporter's own metrics: `cec_exporter_*`, `promhttp_*` and `process_*`.

mod target;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry};

use super::catalog::{self, Metric};
pub use target::TargetMetrics;

/// Status codes whose series start at 0, as in the handler of Go's client library.
const HANDLER_CODES: [&str; 3] = ["200", "500", "503"];

/// Why a window of the list is not proved complete: its total and its rows disagree, it cannot be
/// read, or two readings differ.
pub const UNPROVEN_REASONS: [&str; 3] = ["total", "unreadable", "changing"];

/// How a request for an inspection result ended: counted; the call was inspected for no scenario;
/// failed, and tried again later; given up, because the call left the lookback.
pub const RESULT_OUTCOMES: [&str; 4] = ["counted", "empty", "failed", "expired"];

/// The exporter's own metrics, for all targets.
pub struct ExporterMetrics {
    registry: Registry,
    created: Mutex<CreationTimes>,
    up: GaugeVec,
    window: GaugeVec,
    frontier: GaugeVec,
    last_success: GaugeVec,
    pull_duration: HistogramVec,
    pull_failures: CounterVec,
    api_requests: CounterVec,
    api_request_duration: HistogramVec,
    api_retries: CounterVec,
    rejected: CounterVec,
    token_expiry: GaugeVec,
    ledger_calls: GaugeVec,
    ledger_limit: GaugeVec,
    storage_bytes: GaugeVec,
    next_pull: GaugeVec,
    min_pull_interval: GaugeVec,
    early_scrapes: CounterVec,
    unproven: CounterVec,
    reconciled: GaugeVec,
    clock_skew: GaugeVec,
    folded_teams: GaugeVec,
    folded_agents: GaugeVec,
    folded_rules: GaugeVec,
    results: CounterVec,
    results_pending: GaugeVec,
    oldest_result: GaugeVec,
    teams_file_ok: GaugeVec,
    target_info: GaugeVec,
    /// The labels endpoint and call types of the series of `target_info`, by target.
    target_infos: Mutex<BTreeMap<String, [String; 2]>>,
    scrapes: CounterVec,
    pub scrapes_in_flight: Gauge,
    pub reload_ok: Gauge,
    pub reload_time: Gauge,
    pub shard_ordinal: Gauge,
    pub total_shards: Gauge,
}

/// The labels of `cec_exporter_build_info`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Build {
    pub version: &'static str,
    pub revision: &'static str,
    pub rustc: &'static str,
}

impl ExporterMetrics {
    /// Registers all metrics, without series of targets. `now` in Unix seconds.
    ///
    /// # Errors
    ///
    /// If the catalog is invalid, which a test would have shown.
    pub fn new(build: Build, now: f64) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |metric| register(&registry, Gauge::with_opts(opts(metric)));
        let gauges =
            |metric: Metric| register(&registry, GaugeVec::new(opts(metric), metric.labels));
        let counters =
            |metric: Metric| register(&registry, CounterVec::new(opts(metric), metric.labels));
        let histograms = |metric: Metric| {
            let opts = HistogramOpts::from(opts(metric)).buckets(metric.bounds.to_vec());
            register(&registry, HistogramVec::new(opts, metric.labels))
        };
        let build_info = gauges(catalog::BUILD_INFO)?;
        build_info
            .with_label_values(&[build.version, build.revision, build.rustc])
            .set(1.0);
        // The collector reads /proc.
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        let scrapes = counters(catalog::HANDLER_REQUESTS)?;
        for code in HANDLER_CODES {
            scrapes.with_label_values(&[code]);
        }
        Ok(Self {
            up: gauges(catalog::UP)?,
            window: gauges(catalog::WINDOW)?,
            frontier: gauges(catalog::FRONTIER)?,
            last_success: gauges(catalog::LAST_SUCCESS)?,
            pull_duration: histograms(catalog::PULL_DURATION)?,
            pull_failures: counters(catalog::PULL_FAILURES)?,
            api_requests: counters(catalog::API_REQUESTS)?,
            api_request_duration: histograms(catalog::API_REQUEST_DURATION)?,
            api_retries: counters(catalog::API_RETRIES)?,
            rejected: counters(catalog::REJECTED)?,
            token_expiry: gauges(catalog::TOKEN_EXPIRY)?,
            ledger_calls: gauges(catalog::LEDGER_CALLS)?,
            ledger_limit: gauges(catalog::LEDGER_LIMIT)?,
            storage_bytes: gauges(catalog::STORAGE_BYTES)?,
            next_pull: gauges(catalog::NEXT_PULL)?,
            min_pull_interval: gauges(catalog::MIN_PULL_INTERVAL)?,
            early_scrapes: counters(catalog::EARLY_SCRAPES)?,
            unproven: counters(catalog::UNPROVEN)?,
            reconciled: gauges(catalog::RECONCILED)?,
            clock_skew: gauges(catalog::CLOCK_SKEW)?,
            folded_teams: gauges(catalog::FOLDED_TEAMS)?,
            folded_agents: gauges(catalog::FOLDED_AGENTS)?,
            folded_rules: gauges(catalog::FOLDED_RULES)?,
            results: counters(catalog::RESULTS)?,
            results_pending: gauges(catalog::RESULTS_PENDING)?,
            oldest_result: gauges(catalog::OLDEST_RESULT)?,
            teams_file_ok: gauges(catalog::TEAMS_FILE_OK)?,
            target_info: gauges(catalog::TARGET_INFO)?,
            target_infos: Mutex::default(),
            scrapes,
            scrapes_in_flight: gauge(catalog::HANDLER_IN_FLIGHT)?,
            reload_ok: gauge(catalog::RELOAD_OK)?,
            reload_time: gauge(catalog::RELOAD_TIME)?,
            shard_ordinal: gauge(catalog::SHARD_ORDINAL)?,
            total_shards: gauge(catalog::TOTAL_SHARDS)?,
            registry,
            created: Mutex::new(CreationTimes {
                exporter: now,
                targets: BTreeMap::new(),
            }),
        })
    }

    /// Creates the series of a target: those with known labels at 0, so that `rate()` sees their
    /// first event. `now` in Unix seconds.
    pub fn target(&self, name: &str, labels: &InitialLabels, now: f64) -> TargetMetrics {
        let mut created = self.created.lock();
        // A target that a reload removed and another one adds again continues its counters.
        created.targets.entry(name.to_owned()).or_insert(now);
        drop(created);
        for api in &labels.apis {
            self.api_request_duration.with_label_values(&[name, api]);
            self.api_retries.with_label_values(&[name, api]);
            for code in &labels.codes {
                self.api_requests.with_label_values(&[name, api, code]);
            }
        }
        for reason in UNPROVEN_REASONS {
            self.unproven.with_label_values(&[name, reason]);
        }
        for outcome in &labels.results {
            self.results.with_label_values(&[name, outcome]);
        }
        for reason in &labels.failures {
            self.pull_failures.with_label_values(&[name, reason]);
        }
        for reason in &labels.rejections {
            self.rejected.with_label_values(&[name, reason]);
        }
        TargetMetrics {
            name: name.to_owned(),
            up: self.up.with_label_values(&[name]),
            window: self.window.with_label_values(&[name]),
            pull_duration: self.pull_duration.with_label_values(&[name]),
            ledger_calls: self.ledger_calls.with_label_values(&[name]),
            ledger_limit: self.ledger_limit.with_label_values(&[name]),
            storage_bytes: self.storage_bytes.with_label_values(&[name]),
            min_pull_interval: self.min_pull_interval.with_label_values(&[name]),
            early_scrapes: self.early_scrapes.with_label_values(&[name]),
            next_pull: self.next_pull.clone(),
            unproven: self.unproven.clone(),
            reconciled: self.reconciled.clone(),
            clock_skew: self.clock_skew.clone(),
            folded_teams: self.folded_teams.clone(),
            folded_agents: self.folded_agents.clone(),
            folded_rules: self.folded_rules.clone(),
            results: self.results.clone(),
            results_pending: self.results_pending.clone(),
            oldest_result: self.oldest_result.clone(),
            teams_file_ok: self.teams_file_ok.clone(),
            frontier: self.frontier.clone(),
            last_success: self.last_success.clone(),
            token_expiry: self.token_expiry.clone(),
            pull_failures: self.pull_failures.clone(),
            api_requests: self.api_requests.clone(),
            api_request_duration: self.api_request_duration.clone(),
            api_retries: self.api_retries.clone(),
            rejected: self.rejected.clone(),
        }
    }

    /// Replaces the `cec_target_info` of a target.
    pub fn set_target_info(&self, target: &str, endpoint: &str, call_types: &str) {
        let mut infos = self.target_infos.lock();
        let labels = [endpoint.to_owned(), call_types.to_owned()];
        if let Some([endpoint, call_types]) = infos.insert(target.to_owned(), labels) {
            // Cannot fail: only this function adds and removes series.
            let _ = (self.target_info).remove_label_values(&[target, &endpoint, &call_types]);
        }
        self.target_info
            .with_label_values(&[target, endpoint, call_types])
            .set(1.0);
    }

    /// Counts an answered scrape by its HTTP status code.
    pub fn scrape_answered(&self, code: &str) {
        self.scrapes.with_label_values(&[code]).inc();
    }

    pub fn gather(&self) -> ExporterSnapshot {
        let created = self.created.lock();
        ExporterSnapshot {
            created: created.clone(),
            families: self.registry.gather(),
        }
    }
}

/// The exporter's own series at one moment.
#[derive(Clone, Default, Debug)]
pub struct ExporterSnapshot {
    /// Sorted by name.
    pub families: Vec<MetricFamily>,
    created: CreationTimes,
}

/// Creation times of the exporter's own series, in Unix seconds.
#[derive(Clone, Default, Debug)]
struct CreationTimes {
    exporter: f64,
    targets: BTreeMap<String, f64>,
}

impl ExporterSnapshot {
    /// Creation time of a series, in Unix seconds: the start of the process for `process_*`, else when
    /// its target, or the exporter, was created.
    pub fn created(&self, family: &MetricFamily, target: Option<&str>) -> f64 {
        let CreationTimes { exporter, targets } = &self.created;
        if family.name().starts_with("process_") {
            let start = |family: &&MetricFamily| family.name() == "process_start_time_seconds";
            let start = self.families.iter().find(start);
            let start = start.and_then(|family| family.get_metric().first());
            return start.map_or(*exporter, |metric| metric.get_gauge().get_value());
        }
        let target_created = target.and_then(|target| targets.get(target));
        *target_created.unwrap_or(exporter)
    }
}

/// Label values that are known in advance, so that their series can start at 0.
#[derive(Clone, Default, Debug)]
pub struct InitialLabels {
    /// `api` of requests.
    pub apis: Vec<String>,
    /// `code` of requests.
    pub codes: Vec<String>,
    /// `outcome` of inspection results; empty if they are not requested.
    pub results: Vec<String>,
    /// `reason` of failed pulls.
    pub failures: Vec<String>,
    /// `reason` of rejected records.
    pub rejections: Vec<String>,
}

fn opts(metric: Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let collector = collector?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

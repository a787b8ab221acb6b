//! What the exporter tells about itself: the metrics `cec_exporter_*` and those of its process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts, Registry,
};

use super::catalog::{self, Metric};

/// The statuses that are there at 0, as in the handler of Go's client library, of which users know
/// these metrics.
const HANDLER_CODES: [&str; 3] = ["200", "500", "503"];

/// Why a window of the list is not proved to be complete: its total does not agree with its rows,
/// it cannot be read, or two readings of it differ.
pub const UNPROVEN_REASONS: [&str; 3] = ["total", "unreadable", "changing"];

/// The exporter's own metrics, for all targets.
pub struct ExporterMetrics {
    registry: Registry,
    created: Mutex<Created>,
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
    target_info: GaugeVec,
    /// The labels of the series of `target_info`, by target: others are gone.
    target_infos: Mutex<BTreeMap<String, [String; 2]>>,
    scrapes: CounterVec,
    /// Scrapes that are being answered.
    pub scrapes_in_flight: Gauge,
    /// Whether the last attempt to load the configuration succeeded.
    pub reload_ok: Gauge,
    /// When it last did, Unix seconds.
    pub reload_time: Gauge,
    /// Which of the shards this is, from 0.
    pub shard_ordinal: Gauge,
    /// How many there are.
    pub total_shards: Gauge,
}

/// What the exporter was built from, for `cec_exporter_build_info`.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// Of the package.
    pub version: &'static str,
    /// Of the source.
    pub revision: &'static str,
    /// Of the compiler.
    pub rustc: &'static str,
}

impl ExporterMetrics {
    /// With the process's metrics, and none of any target. `now` in Unix seconds.
    ///
    /// # Errors
    ///
    /// Only if the catalog breaks the rules of Prometheus, which a test would have shown.
    pub fn new(build: Build, now: f64) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let build_info: GaugeVec = add(&registry, gauges(catalog::BUILD_INFO))?;
        build_info
            .with_label_values(&[build.version, build.revision, build.rustc])
            .set(1.0);
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process))?;
        let scrapes: CounterVec = add(&registry, counters(catalog::HANDLER_REQUESTS))?;
        for code in HANDLER_CODES {
            scrapes.with_label_values(&[code]);
        }
        Ok(Self {
            up: add(&registry, gauges(catalog::UP))?,
            window: add(&registry, gauges(catalog::WINDOW))?,
            frontier: add(&registry, gauges(catalog::FRONTIER))?,
            last_success: add(&registry, gauges(catalog::LAST_SUCCESS))?,
            pull_duration: add(&registry, histograms(catalog::PULL_DURATION))?,
            pull_failures: add(&registry, counters(catalog::PULL_FAILURES))?,
            api_requests: add(&registry, counters(catalog::API_REQUESTS))?,
            api_request_duration: add(&registry, histograms(catalog::API_REQUEST_DURATION))?,
            api_retries: add(&registry, counters(catalog::API_RETRIES))?,
            rejected: add(&registry, counters(catalog::REJECTED))?,
            token_expiry: add(&registry, gauges(catalog::TOKEN_EXPIRY))?,
            ledger_calls: add(&registry, gauges(catalog::LEDGER_CALLS))?,
            ledger_limit: add(&registry, gauges(catalog::LEDGER_LIMIT))?,
            storage_bytes: add(&registry, gauges(catalog::STORAGE_BYTES))?,
            next_pull: add(&registry, gauges(catalog::NEXT_PULL))?,
            min_pull_interval: add(&registry, gauges(catalog::MIN_PULL_INTERVAL))?,
            early_scrapes: add(&registry, counters(catalog::EARLY_SCRAPES))?,
            unproven: add(&registry, counters(catalog::UNPROVEN))?,
            reconciled: add(&registry, gauges(catalog::RECONCILED))?,
            clock_skew: add(&registry, gauges(catalog::CLOCK_SKEW))?,
            target_info: add(&registry, gauges(catalog::TARGET_INFO))?,
            target_infos: Mutex::default(),
            scrapes,
            scrapes_in_flight: add(
                &registry,
                Gauge::with_opts(opts(catalog::HANDLER_IN_FLIGHT)),
            )?,
            reload_ok: add(&registry, Gauge::with_opts(opts(catalog::RELOAD_OK)))?,
            reload_time: add(&registry, Gauge::with_opts(opts(catalog::RELOAD_TIME)))?,
            shard_ordinal: add(&registry, Gauge::with_opts(opts(catalog::SHARD_ORDINAL)))?,
            total_shards: add(&registry, Gauge::with_opts(opts(catalog::TOTAL_SHARDS)))?,
            registry,
            created: Mutex::new(Created {
                exporter: now,
                targets: BTreeMap::new(),
            }),
        })
    }

    /// The metrics of one target; those that are known are there at 0 from now on, in Unix
    /// seconds.
    pub fn target(&self, name: &str, labels: &KnownLabels, now: f64) -> TargetMetrics {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        // A target that comes back after a reload goes on counting.
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

    /// Shows where a target is and which types of call it is asked for, in place of what was shown
    /// of it before.
    pub fn set_target_info(&self, target: &str, endpoint: &str, call_types: &str) {
        let mut infos = (self.target_infos.lock()).unwrap_or_else(PoisonError::into_inner);
        let labels = [endpoint.to_owned(), call_types.to_owned()];
        if let Some([endpoint, call_types]) = infos.insert(target.to_owned(), labels) {
            // It is there: only this function adds and removes series.
            let _ = (self.target_info).remove_label_values(&[target, &endpoint, &call_types]);
        }
        self.target_info
            .with_label_values(&[target, endpoint, call_types])
            .set(1.0);
    }

    /// A scrape was answered with this HTTP status.
    pub fn scrape_answered(&self, code: &str) {
        self.scrapes.with_label_values(&[code]).inc();
    }

    /// All series as they are now.
    pub fn gather(&self) -> Gathered {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        Gathered {
            created: created.clone(),
            families: self.registry.gather(),
        }
    }
}

/// The exporter's own series at one moment.
#[derive(Clone, Default, Debug)]
pub struct Gathered {
    /// In the order of their names.
    pub families: Vec<MetricFamily>,
    created: Created,
}

/// Since when the exporter's own series count, in Unix seconds.
#[derive(Clone, Default, Debug)]
struct Created {
    exporter: f64,
    targets: BTreeMap<String, f64>,
}

impl Gathered {
    /// Since when a series counts: the start of the process for what is told of that, otherwise
    /// since there is its target, or the exporter. In Unix seconds.
    pub fn created(&self, family: &MetricFamily, target: Option<&str>) -> f64 {
        let Created { exporter, targets } = &self.created;
        if family.name().starts_with("process_") {
            let start = |family: &&MetricFamily| family.name() == "process_start_time_seconds";
            let start = self.families.iter().find(start);
            let start = start.and_then(|family| family.get_metric().first());
            return start.map_or(*exporter, |metric| metric.get_gauge().get_value());
        }
        let of_target = target.and_then(|target| targets.get(target));
        *of_target.unwrap_or(exporter)
    }
}

/// The values of labels that are known before anything happened.
#[derive(Clone, Default, Debug)]
pub struct KnownLabels {
    /// `api` of the requests.
    pub apis: Vec<String>,
    /// `code` of the requests.
    pub codes: Vec<String>,
    /// `reason` of the pulls that fail.
    pub failures: Vec<String>,
    /// `reason` of the records rejected.
    pub rejections: Vec<String>,
}

/// The exporter's metrics of one target.
#[derive(Clone)]
pub struct TargetMetrics {
    name: String,
    /// Whether the last pull succeeded.
    pub up: Gauge,
    /// Seconds of the lookback.
    pub window: Gauge,
    /// Seconds that pulls took.
    pub pull_duration: Histogram,
    /// Calls remembered.
    pub ledger_calls: Gauge,
    /// Calls remembered at most.
    pub ledger_limit: Gauge,
    /// Bytes of the ledger's file.
    pub storage_bytes: Gauge,
    /// Seconds between pulls, at least.
    pub min_pull_interval: Gauge,
    /// Scrapes that were answered before the end of the pull they waited for.
    pub early_scrapes: Counter,
    next_pull: GaugeVec,
    unproven: CounterVec,
    reconciled: GaugeVec,
    clock_skew: GaugeVec,
    frontier: GaugeVec,
    last_success: GaugeVec,
    token_expiry: GaugeVec,
    pull_failures: CounterVec,
    api_requests: CounterVec,
    api_request_duration: HistogramVec,
    api_retries: CounterVec,
    rejected: CounterVec,
}

impl TargetMetrics {
    /// Unix seconds up to which the list is known. There is no series before the first time: a
    /// frontier of 1970 would page someone.
    pub fn set_frontier(&self, time: f64) {
        self.frontier.with_label_values(&[&self.name]).set(time);
    }

    /// Unix seconds at which a pull succeeded.
    pub fn set_last_success(&self, time: f64) {
        self.last_success.with_label_values(&[&self.name]).set(time);
    }

    /// Unix seconds from which on a scrape starts the next pull.
    pub fn set_next_pull(&self, time: f64) {
        self.next_pull.with_label_values(&[&self.name]).set(time);
    }

    /// Unix seconds since when every call in the lookback has been compared again.
    pub fn set_reconciled(&self, time: f64) {
        self.reconciled.with_label_values(&[&self.name]).set(time);
    }

    /// Seconds by which the local clock is ahead of the vendor's.
    pub fn set_clock_skew(&self, seconds: f64) {
        self.clock_skew
            .with_label_values(&[&self.name])
            .set(seconds);
    }

    /// A window was taken without proof, or stepped over; the reason is one of
    /// [`UNPROVEN_REASONS`].
    pub fn unproven(&self, reason: &str) {
        self.unproven.with_label_values(&[&self.name, reason]).inc();
    }

    /// Unix seconds at which the token in use expires.
    pub fn set_token_expiry(&self, time: f64) {
        self.token_expiry.with_label_values(&[&self.name]).set(time);
    }

    /// A pull failed.
    pub fn pull_failed(&self, reason: &str) {
        self.pull_failures
            .with_label_values(&[&self.name, reason])
            .inc();
    }

    /// A request ended after so many seconds.
    pub fn request(&self, api: &str, code: &str, seconds: f64) {
        self.api_requests
            .with_label_values(&[&self.name, api, code])
            .inc();
        self.api_request_duration
            .with_label_values(&[&self.name, api])
            .observe(seconds);
    }

    /// A request is sent again.
    pub fn retry(&self, api: &str) {
        self.api_retries.with_label_values(&[&self.name, api]).inc();
    }

    /// So many records were rejected.
    pub fn reject(&self, reason: &str, count: u64) {
        self.rejected
            .with_label_values(&[&self.name, reason])
            .inc_by(count as f64);
    }
}

fn opts(metric: Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

fn gauges(metric: Metric) -> prometheus::Result<GaugeVec> {
    GaugeVec::new(opts(metric), metric.labels)
}

fn counters(metric: Metric) -> prometheus::Result<CounterVec> {
    CounterVec::new(opts(metric), metric.labels)
}

fn histograms(metric: Metric) -> prometheus::Result<HistogramVec> {
    let opts = HistogramOpts::from(opts(metric)).buckets(metric.bounds.to_vec());
    HistogramVec::new(opts, metric.labels)
}

fn add<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let collector = collector?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

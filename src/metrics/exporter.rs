//! The exporter's own metrics: `cec_exporter_*`, `promhttp_*` and `process_*`.

mod family;
mod process;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::Histogram;

use super::catalog::{self, Kind, Metric};
use family::{AnyFamily, Family, Handle};
pub use family::{Counter, Gauge, OwnSeries, Reading};
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
    families: Vec<Arc<dyn AnyFamily>>,
    created: Arc<CreationTimes>,
    up: Arc<Family<Gauge>>,
    window: Arc<Family<Gauge>>,
    frontier: Arc<Family<Gauge>>,
    last_success: Arc<Family<Gauge>>,
    pull_duration: Arc<Family<Histogram>>,
    pull_failures: Arc<Family<Counter>>,
    api_requests: Arc<Family<Counter>>,
    api_request_duration: Arc<Family<Histogram>>,
    api_retries: Arc<Family<Counter>>,
    rejected: Arc<Family<Counter>>,
    token_expiry: Arc<Family<Gauge>>,
    ledger_calls: Arc<Family<Gauge>>,
    ledger_limit: Arc<Family<Gauge>>,
    storage_bytes: Arc<Family<Gauge>>,
    next_pull: Arc<Family<Gauge>>,
    min_pull_interval: Arc<Family<Gauge>>,
    early_scrapes: Arc<Family<Counter>>,
    unproven: Arc<Family<Counter>>,
    reconciled: Arc<Family<Gauge>>,
    clock_skew: Arc<Family<Gauge>>,
    folded_teams: Arc<Family<Gauge>>,
    folded_agents: Arc<Family<Gauge>>,
    folded_rules: Arc<Family<Gauge>>,
    results: Arc<Family<Counter>>,
    results_pending: Arc<Family<Gauge>>,
    oldest_result: Arc<Family<Gauge>>,
    teams_file_ok: Arc<Family<Gauge>>,
    target_info: Arc<Family<Gauge>>,
    /// The labels endpoint and call types of the series of `target_info`, by target.
    target_infos: Mutex<BTreeMap<String, [String; 2]>>,
    scrapes: Arc<Family<Counter>>,
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
    /// All metrics, without series of targets. `now` in Unix seconds.
    pub fn new(build: Build, now: f64) -> Self {
        let created = Arc::new(CreationTimes {
            exporter: now,
            targets: Mutex::default(),
        });
        let mut families = Families {
            all: Vec::new(),
            created: Arc::clone(&created),
        };
        let build_info: Arc<Family<Gauge>> = families.add(catalog::BUILD_INFO);
        build_info
            .with_label_values(&[build.version, build.revision, build.rustc])
            .set(1.0);
        let scrapes: Arc<Family<Counter>> = families.add(catalog::HANDLER_REQUESTS);
        for code in HANDLER_CODES {
            scrapes.with_label_values(&[code]);
        }
        Self {
            up: families.add(catalog::UP),
            window: families.add(catalog::WINDOW),
            frontier: families.add(catalog::FRONTIER),
            last_success: families.add(catalog::LAST_SUCCESS),
            pull_duration: families.add(catalog::PULL_DURATION),
            pull_failures: families.add(catalog::PULL_FAILURES),
            api_requests: families.add(catalog::API_REQUESTS),
            api_request_duration: families.add(catalog::API_REQUEST_DURATION),
            api_retries: families.add(catalog::API_RETRIES),
            rejected: families.add(catalog::REJECTED),
            token_expiry: families.add(catalog::TOKEN_EXPIRY),
            ledger_calls: families.add(catalog::LEDGER_CALLS),
            ledger_limit: families.add(catalog::LEDGER_LIMIT),
            storage_bytes: families.add(catalog::STORAGE_BYTES),
            next_pull: families.add(catalog::NEXT_PULL),
            min_pull_interval: families.add(catalog::MIN_PULL_INTERVAL),
            early_scrapes: families.add(catalog::EARLY_SCRAPES),
            unproven: families.add(catalog::UNPROVEN),
            reconciled: families.add(catalog::RECONCILED),
            clock_skew: families.add(catalog::CLOCK_SKEW),
            folded_teams: families.add(catalog::FOLDED_TEAMS),
            folded_agents: families.add(catalog::FOLDED_AGENTS),
            folded_rules: families.add(catalog::FOLDED_RULES),
            results: families.add(catalog::RESULTS),
            results_pending: families.add(catalog::RESULTS_PENDING),
            oldest_result: families.add(catalog::OLDEST_RESULT),
            teams_file_ok: families.add(catalog::TEAMS_FILE_OK),
            target_info: families.add(catalog::TARGET_INFO),
            target_infos: Mutex::default(),
            scrapes,
            scrapes_in_flight: families.gauge(catalog::HANDLER_IN_FLIGHT),
            reload_ok: families.gauge(catalog::RELOAD_OK),
            reload_time: families.gauge(catalog::RELOAD_TIME),
            shard_ordinal: families.gauge(catalog::SHARD_ORDINAL),
            total_shards: families.gauge(catalog::TOTAL_SHARDS),
            families: families.all,
            created,
        }
    }

    /// Creates the series of a target: those with known labels at 0, so that `rate()` sees their
    /// first event. `now` in Unix seconds.
    pub fn target(&self, name: &str, labels: &InitialLabels, now: f64) -> TargetMetrics {
        // A target that a reload removed and another one adds again continues its counters.
        let mut created = self.created.targets.lock();
        created.entry(name.to_owned()).or_insert(now);
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
            self.target_info
                .remove_label_values(&[target, &endpoint, &call_types]);
        }
        self.target_info
            .with_label_values(&[target, endpoint, call_types])
            .set(1.0);
    }

    /// Counts an answered scrape by its HTTP status code.
    pub fn scrape_answered(&self, code: &str) {
        self.scrapes.with_label_values(&[code]).inc();
    }

    /// Visits all metrics, sorted by name and by the values of labels. `is_wanted` selects series by
    /// their target, `None` for those without; a family without such a series is not visited.
    pub fn read(&self, is_wanted: &dyn Fn(Option<&str>) -> bool, visitor: &mut impl Visitor) {
        let process = match is_wanted(None) {
            true => process::read(),
            false => Vec::new(),
        };
        let of_process = process.iter().map(|metric| metric as &dyn AnyFamily);
        let own = self.families.iter().map(|family| &**family);
        let mut families: Vec<&dyn AnyFamily> = own.chain(of_process).collect();
        families.sort_by(|a, b| a.head().0.cmp(b.head().0));
        for family in families {
            let (name, kind, help) = family.head();
            let mut is_started = false;
            family.read(is_wanted, &mut |series| {
                if !std::mem::replace(&mut is_started, true) {
                    visitor.family(name, kind, help);
                }
                visitor.series(&series);
            });
        }
    }
}

/// Receives the exporter's own metrics.
pub trait Visitor {
    /// The next series belong to this metric.
    fn family(&mut self, name: &str, kind: Kind, help: &str);
    fn series(&mut self, series: &OwnSeries<'_>);
}

/// Collects the families while they are created.
struct Families {
    all: Vec<Arc<dyn AnyFamily>>,
    created: Arc<CreationTimes>,
}

impl Families {
    fn add<T: Handle>(&mut self, metric: Metric) -> Arc<Family<T>> {
        let family = Arc::new(Family::new(metric, Arc::clone(&self.created)));
        self.all.push(Arc::clone(&family) as Arc<dyn AnyFamily>);
        family
    }

    /// The only series of a gauge without labels.
    fn gauge(&mut self, metric: Metric) -> Gauge {
        self.add::<Gauge>(metric).with_label_values(&[])
    }
}

/// When series were 0, in Unix seconds.
struct CreationTimes {
    exporter: f64,
    targets: Mutex<BTreeMap<String, f64>>,
}

impl CreationTimes {
    /// When the target, or else the exporter, was created.
    fn of(&self, target: Option<&str>) -> f64 {
        let known = target.and_then(|target| self.targets.lock().get(target).copied());
        known.unwrap_or(self.exporter)
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

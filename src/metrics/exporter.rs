//! The exporter's own metrics: `cec_exporter_*`, `promhttp_*` and `process_*`.

mod family;
mod process;
mod target;

use std::sync::Arc;

use super::catalog::{self, Metric};
use family::Families;
pub use family::{OwnSeries, Reading};
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
pub struct ExporterMetrics(Arc<Families>);

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
        let families = Families::new(now);
        let labels = [build.version, build.revision, build.rustc];
        families.cell(catalog::BUILD_INFO, &labels).set(1.0);
        for code in HANDLER_CODES {
            families.cell(catalog::HANDLER_REQUESTS, &[code]);
        }
        for gauge in [
            catalog::HANDLER_IN_FLIGHT,
            catalog::RELOAD_OK,
            catalog::RELOAD_TIME,
            catalog::SHARD_ORDINAL,
            catalog::TOTAL_SHARDS,
        ] {
            families.cell(gauge, &[]);
        }
        Self(Arc::new(families))
    }

    /// The metrics of a target. Those that have a value from the start are created at 0, so that
    /// `rate()` sees their first event. `now` in Unix seconds.
    pub fn target(&self, name: &str, now: f64) -> TargetMetrics {
        // A target that a reload removed and another one adds again continues its counters.
        let mut created = self.0.targets_created.lock();
        created.entry(name.to_owned()).or_insert(now);
        drop(created);
        let target = TargetMetrics::new(name, Arc::clone(&self.0));
        for metric in [
            catalog::UP,
            catalog::WINDOW,
            catalog::PULL_DURATION,
            catalog::LEDGER_CALLS,
            catalog::LEDGER_LIMIT,
            catalog::STORAGE_BYTES,
            catalog::MIN_PULL_INTERVAL,
            catalog::EARLY_SCRAPES,
        ] {
            target.create(metric, &[]);
        }
        for reason in UNPROVEN_REASONS {
            target.create(catalog::UNPROVEN, &[reason]);
        }
        target
    }

    /// Sets a gauge that belongs to no target.
    pub fn set(&self, metric: Metric, value: f64) {
        self.0.cell(metric, &[]).set(value);
    }

    /// Adds to a counter or a gauge that belongs to no target.
    pub fn add(&self, metric: Metric, labels: &[&str], more: f64) {
        self.0.cell(metric, labels).add(more);
    }

    /// Visits all series, sorted by name and by the values of labels. `is_wanted` selects them by their
    /// target, `None` for those without.
    pub fn read(
        &self,
        is_wanted: &dyn Fn(Option<&str>) -> bool,
        visit: &mut dyn FnMut(&OwnSeries<'_>),
    ) {
        const PROCESS: &str = "process_";
        let families = &self.0.by_name;
        for (_, family) in families.range(..PROCESS) {
            family.read(is_wanted, visit);
        }
        if is_wanted(None) {
            process::read(visit);
        }
        for (_, family) in families.range(PROCESS..) {
            family.read(is_wanted, visit);
        }
    }
}

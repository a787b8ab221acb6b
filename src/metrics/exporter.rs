//! The exporter's own metrics: `cec_exporter_*`, `promhttp_*` and `process_*`.

mod family;
mod label;
mod process;
mod target;

use std::sync::Arc;

use super::catalog::{self, Metric};
use family::Families;
pub use family::{OwnSeries, Reading};
pub use label::{ResultOutcome, UnprovenReason};
pub use target::TargetMetrics;

/// Status codes whose series start at 0, as in the handler of Go's client library.
const HANDLER_CODES: [&str; 3] = ["200", "500", "503"];

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
        let mut targets = self.0.targets.lock();
        targets.created.entry(name.to_owned()).or_insert(now);
        drop(targets);
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
        for reason in UnprovenReason::ALL {
            target.create(catalog::UNPROVEN, &[reason.label()]);
        }
        target
    }

    /// Forgets the targets that are none of these, except for the thousand that were removed last: a
    /// target that comes back continues its counters.
    pub fn retain_targets(&self, names: &[String]) {
        self.0
            .retain_targets(&names.iter().map(String::as_str).collect());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn early_scrapes(exporter: &ExporterMetrics, name: &str) -> Vec<f64> {
        let mut values = Vec::new();
        exporter.read(&|target| target == Some(name), &mut |series| {
            if let (Reading::Number(value), "cec_exporter_scrapes_before_pull_end_total") =
                (&series.reading, series.name)
            {
                values.push(*value);
            }
        });
        values
    }

    #[test]
    fn a_thousand_removed_targets_keep_their_series() {
        let exporter = ExporterMetrics::new(Build::default(), 0.0);
        let add = |names: &[String]| {
            for name in names {
                let target = exporter.target(name, 0.0);
                target.add(catalog::EARLY_SCRAPES, &[], 1.0);
            }
        };
        let names = |range: std::ops::Range<u32>| range.map(|n| format!("t{n}"));
        let (first, others) = (["first".to_owned()], names(0..1000).collect::<Vec<_>>());
        add(&first);
        exporter.retain_targets(&[]);
        // It comes back, and is removed again.
        add(&first);
        exporter.retain_targets(&first);
        assert_eq!(early_scrapes(&exporter, "first"), [2.0]);
        exporter.retain_targets(&[]);
        add(&others);
        exporter.retain_targets(&others);
        assert_eq!(early_scrapes(&exporter, "first"), [2.0]);
        exporter.retain_targets(&others[1..]);
        exporter.retain_targets(&[]);
        assert_eq!(early_scrapes(&exporter, "first"), [0.0; 0]);
        assert_eq!(early_scrapes(&exporter, "t0"), [1.0]);
        assert_eq!(exporter.0.targets.lock().created.len(), 1000);
    }
}

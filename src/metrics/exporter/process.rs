//! `process_*`: what the system says of this process.

use super::family::{AnyFamily, OwnSeries};
use crate::metrics::catalog::Kind;

/// One metric of the process when it was read.
pub(super) struct ProcessMetric {
    name: String,
    kind: Kind,
    help: String,
    value: f64,
    created: f64,
}

/// Reads `/proc`. Empty on other systems.
#[cfg(target_os = "linux")]
pub(super) fn read() -> Vec<ProcessMetric> {
    use std::sync::LazyLock;

    use prometheus::core::Collector;
    use prometheus::process_collector::ProcessCollector;
    use prometheus::proto::{MetricFamily, MetricType};
    // Making one reads more of `/proc` than collecting does.
    static COLLECTOR: LazyLock<ProcessCollector> = LazyLock::new(ProcessCollector::for_self);
    let families = COLLECTOR.collect();
    let value = |family: &MetricFamily| {
        let metric = family.get_metric().first()?;
        match family.get_field_type() {
            MetricType::COUNTER => Some((Kind::Counter, metric.get_counter().get_value())),
            _ => Some((Kind::Gauge, metric.get_gauge().get_value())),
        }
    };
    let started = families
        .iter()
        .find(|family| family.name() == "process_start_time_seconds");
    let created = started.and_then(value).map_or(0.0, |(_, at)| at);
    let metrics = families.iter().filter_map(|family| {
        let (kind, value) = value(family)?;
        let value = match family.name() {
            // The collector cuts it to whole seconds.
            "process_cpu_seconds_total" => cpu_seconds(),
            _ => value,
        };
        Some(ProcessMetric {
            name: family.name().to_owned(),
            kind,
            help: family.help().to_owned(),
            value,
            created,
        })
    });
    let mut metrics: Vec<_> = metrics.collect();
    metrics.sort_by(|a, b| a.name.cmp(&b.name));
    metrics
}

#[cfg(target_os = "linux")]
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read() -> Vec<ProcessMetric> {
    Vec::new()
}

impl AnyFamily for ProcessMetric {
    fn head(&self) -> (&str, Kind, &str) {
        (&self.name, self.kind, &self.help)
    }

    fn read(&self, is_wanted: &dyn Fn(Option<&str>) -> bool, visit: &mut dyn FnMut(OwnSeries<'_>)) {
        if is_wanted(None) {
            visit(OwnSeries::plain(self.value, self.created));
        }
    }
}

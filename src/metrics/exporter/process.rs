//! `process_*`: what the system says of this process.

use super::family::OwnSeries;

/// Reads `/proc`, and visits its metrics, sorted by name. There are none on other systems.
#[cfg(target_os = "linux")]
pub(super) fn read(visit: &mut dyn FnMut(&OwnSeries<'_>)) {
    use std::sync::LazyLock;

    use prometheus::core::Collector;
    use prometheus::process_collector::ProcessCollector;
    use prometheus::proto::{MetricFamily, MetricType};

    use super::family::Reading;
    use crate::metrics::catalog::Kind;
    // Making one reads more of `/proc` than collecting does.
    static COLLECTOR: LazyLock<ProcessCollector> = LazyLock::new(ProcessCollector::for_self);
    let mut families = COLLECTOR.collect();
    families.sort_by(|a, b| a.name().cmp(b.name()));
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
    for family in &families {
        let Some((kind, value)) = value(family) else {
            continue;
        };
        let value = match family.name() {
            // The collector cuts it to whole seconds.
            "process_cpu_seconds_total" => cpu_seconds(),
            _ => value,
        };
        visit(&OwnSeries {
            name: family.name(),
            kind,
            help: family.help(),
            is_first: true,
            label_names: &[],
            label_values: &[],
            created,
            reading: Reading::Number(value),
        });
    }
}

#[cfg(target_os = "linux")]
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &mut dyn FnMut(&OwnSeries<'_>)) {}

//! Computes the expected counters the simple way: from all records that were served and committed,
//! in order, without forgetting any.

use std::collections::{BTreeMap, HashMap};

use cec_exporter::metrics::catalog::{self, Kind, Metric};
use cec_exporter::model::{CallId, CallType, Measure, Record, Role, Status, UnixSeconds};

use super::extras::{Extras, Group};

/// Values by name and labels as in the exposition.
pub(crate) type Series = BTreeMap<String, f64>;

struct Call {
    record: Record,
    first_final: Option<(Status, Option<UnixSeconds>)>,
    success: Option<Record>,
    /// Who had the call when it was first final.
    staff_id: Option<Box<str>>,
}

/// Counters and histograms for the records of a log, for calls uploaded from `start` on. Those
/// uploaded before `cutoff` have left the lookback.
pub(crate) fn replay(
    log: &[(UnixSeconds, Record)],
    start: UnixSeconds,
    cutoff: UnixSeconds,
    extras: &Extras,
) -> (Series, u64) {
    let mut calls: HashMap<CallId, Call> = HashMap::new();
    for (now, record) in log {
        if record.uploaded < start {
            continue;
        }
        let mut is_new = false;
        let call = calls.entry(record.id).or_insert_with(|| {
            is_new = true;
            Call {
                record: record.clone(),
                first_final: None,
                success: None,
                staff_id: None,
            }
        });
        call.record.status = record.status;
        if record.status.is_final() && call.first_final.is_none() {
            let after = (!is_new).then(|| now.saturating_sub(record.uploaded));
            call.first_final = Some((record.status, after));
            call.staff_id = record.staff_id.clone();
        }
        if record.status == Status::SUCCEEDED && call.success.is_none() {
            call.success = Some(record.clone());
        }
    }
    let mut series = Series::new();
    let mut histograms = Histograms::new();
    for call in calls.values() {
        let call_type = call.record.call_type;
        add(
            &mut series,
            format!("cec_calls_total{{call_type=\"{call_type}\"}}"),
            1.0,
        );
        match call.first_final {
            Some((status, after)) => {
                let labels = format!("{{call_type=\"{call_type}\",status=\"{status}\"}}");
                add(
                    &mut series,
                    format!("cec_calls_processed_total{labels}"),
                    1.0,
                );
                for group in extras.groups(call.staff_id.as_deref()) {
                    let (name, label) = (group.processed, group.label);
                    let labels =
                        format!("{{{label},call_type=\"{call_type}\",status=\"{status}\"}}");
                    add(&mut series, format!("{name}{labels}"), 1.0);
                }
                if let Some(after) = after {
                    let outcome = match status {
                        Status::SUCCEEDED => "succeeded",
                        _ => "failed",
                    };
                    let labels = format!("{{call_type=\"{call_type}\",outcome=\"{outcome}\"}}");
                    let value = Measure::from_integer(after);
                    observe(&mut histograms, catalog::PROCESSING_TIME, labels, value);
                }
            }
            None if call.record.uploaded < cutoff => {
                let status = call.record.status;
                let labels = format!("{{call_type=\"{call_type}\",status=\"{status}\"}}");
                add(&mut series, format!("cec_calls_expired_total{labels}"), 1.0);
            }
            None => {}
        }
        if let Some(record) = &call.success {
            for group in extras.groups(record.staff_id.as_deref()) {
                observe_group(&mut histograms, record, &group);
            }
            let labels = format!("{{call_type=\"{call_type}\"}}");
            if let Some(duration) = record.measures.duration {
                observe(&mut histograms, catalog::DURATION, labels, duration);
            }
            let sides = record
                .measures
                .channels
                .iter()
                .filter(|_| call_type == CallType::VOICE);
            for side in sides {
                let labels = format!("{{role=\"{}\"}}", side.role);
                for (metric, value) in [
                    (catalog::SILENCE, side.silence),
                    (catalog::SPEED, side.speed),
                    (catalog::RATIO, side.ratio),
                ] {
                    if let Some(value) = value {
                        observe(&mut histograms, metric, labels.clone(), value);
                    }
                }
            }
        }
    }
    for ((_, labels), histogram) in &histograms {
        histogram.write(&mut series, labels);
    }
    (series, calls.len() as u64)
}

/// Observes the measures of a call in a team or of an agent.
fn observe_group(histograms: &mut Histograms, record: &Record, group: &Group) {
    let (call_type, label) = (record.call_type, &group.label);
    let mut observe = |metric, labels, value| {
        if let Some(value) = value {
            observe(histograms, metric, labels, value);
        }
    };
    let labels = format!("{{{label},call_type=\"{call_type}\"}}");
    let [duration, silence, speed, ratio] = group.measures;
    observe(duration, labels, record.measures.duration);
    let channels = record.measures.channels.iter();
    for agent in channels.filter(|side| call_type == CallType::VOICE && side.role == Role::Staff) {
        let measures = [
            (silence, agent.silence),
            (speed, agent.speed),
            (ratio, agent.ratio),
        ];
        for (metric, value) in measures {
            observe(metric, format!("{{{label}}}"), value);
        }
    }
}

fn add(series: &mut Series, name: String, value: f64) {
    *series.entry(name).or_default() += value;
}

/// Histograms by name and labels.
type Histograms = HashMap<(&'static str, String), Histogram>;

struct Histogram {
    metric: Metric,
    /// Observations up to each bound; the last element has all.
    buckets: Vec<f64>,
    millionths: u64,
}

fn observe(histograms: &mut Histograms, metric: Metric, labels: String, value: Measure) {
    assert_eq!(value.0 % 1000, 0, "a measure finer than a millionth");
    let histogram = histograms.entry((metric.name, labels)).or_insert_with(|| {
        let buckets = vec![0.0; metric.bounds.len() + 1];
        Histogram {
            metric,
            buckets,
            millionths: 0,
        }
    });
    histogram.millionths += value.0 / 1000;
    let first = metric
        .bounds
        .partition_point(|bound| value.units() > *bound);
    for bucket in &mut histogram.buckets[first..] {
        *bucket += 1.0;
    }
}

impl Histogram {
    fn write(&self, series: &mut Series, labels: &str) {
        let name = self.metric.name;
        // In millionths, which a float represents exactly; the simulator has no finer measures.
        let sum = self.millionths as f64 / 1e6;
        series.insert(format!("{name}_sum{labels}"), sum);
        let open = labels.trim_end_matches('}');
        let bounds = self.metric.bounds.iter().map(f64::to_string);
        let bounds = bounds.chain(["+Inf".to_owned()]);
        let all = self.buckets[self.metric.bounds.len()];
        series.insert(format!("{name}_count{labels}"), all);
        if self.metric.kind == Kind::Summary {
            return;
        }
        for (bound, count) in bounds.zip(&self.buckets) {
            // A bucket without observations is left out, as in the counters of an exposition.
            if *count > 0.0 {
                series.insert(format!("{name}_bucket{open},le=\"{bound}\"}}"), *count);
            }
        }
    }
}

/// The lines of an exposition, by the type of their family.
#[derive(Default)]
pub(crate) struct Lines {
    /// Of counters, histograms and summaries.
    pub(crate) counters: String,
    pub(crate) gauges: String,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        let mut is_gauge = false;
        for line in text.split_inclusive('\n') {
            if line.starts_with("# TYPE ") {
                is_gauge = line.ends_with(" gauge\n");
            }
            let of_type = match is_gauge {
                true => &mut lines.gauges,
                false => &mut lines.counters,
            };
            of_type.push_str(line);
        }
        lines
    }
}

/// The nonzero series of an exposition, without the target label.
pub(crate) fn series(text: &str) -> Series {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.ends_with(" 0"))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (without_target(name), value.parse().unwrap())
        })
        .collect()
}

/// The target is the first label.
fn without_target(name: &str) -> String {
    match name.split_once("{target=\"t\"") {
        Some((name, "}")) => name.to_owned(),
        Some((name, labels)) => [name, "{", labels.trim_start_matches(',')].concat(),
        None => name.to_owned(),
    }
}

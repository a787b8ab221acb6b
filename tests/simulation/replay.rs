//! Computes the expected counters the simple way: from all records that were served and committed,
//! in order, without forgetting any.

use std::collections::{BTreeMap, HashMap};

use cec_exporter::metrics::catalog::{self, Metric};
use cec_exporter::model::{CallId, CallType, Measure, Record, Role, Status, UnixSeconds};

use super::extras::Extras;

/// Values by name and labels as in the exposition.
pub(crate) type Series = BTreeMap<String, f64>;

struct Call {
    record: Record,
    first_final: Option<(Status, Option<UnixSeconds>)>,
    /// Who had the call when it was first final.
    staff_id: Option<Box<str>>,
    success: Option<Record>,
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
                staff_id: None,
                success: None,
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
                for (metric, group) in extras.groups(call.staff_id.as_deref()) {
                    let labels =
                        format!("{{{group},call_type=\"{call_type}\",status=\"{status}\"}}");
                    add(
                        &mut series,
                        format!("cec_{metric}_calls_processed_total{labels}"),
                        1.0,
                    );
                }
                if let Some(after) = after {
                    let outcome = match status {
                        Status::SUCCEEDED => "succeeded",
                        _ => "failed",
                    };
                    let labels = format!("{{call_type=\"{call_type}\",outcome=\"{outcome}\"}}");
                    let value = Measure::from_integer(after);
                    observe(&mut series, catalog::PROCESSING_TIME, &labels, value);
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
            for (metric, group) in extras.groups(record.staff_id.as_deref()) {
                observe_group(&mut series, record, metric, &group);
            }
            let labels = format!("{{call_type=\"{call_type}\"}}");
            if let Some(duration) = record.measures.duration {
                observe(&mut series, catalog::DURATION, &labels, duration);
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
                        observe(&mut series, metric, &labels, value);
                    }
                }
            }
        }
    }
    // Sums are in millionths, which a float represents exactly; the simulator has no finer
    // measures.
    for (name, value) in &mut series {
        if name.contains("_sum{") {
            *value /= 1e6;
        }
    }
    (series, calls.len() as u64)
}

/// Observes the measures of a call in a group, which is a `team` or an `agent`.
fn observe_group(series: &mut Series, record: &Record, kind: &str, group: &str) {
    let call_type = record.call_type;
    let mut observe_as = |metric: Metric, labels: String, value: Option<Measure>| {
        let Some(value) = value else { return };
        let name = metric.name.replacen("cec_", &format!("cec_{kind}_"), 1);
        match kind {
            "team" => observe_named(series, &name, metric.bounds, &labels, value),
            _ => observe_sum(series, &name, &labels, value),
        }
    };
    let labels = format!("{{{group},call_type=\"{call_type}\"}}");
    observe_as(catalog::DURATION, labels, record.measures.duration);
    let channels = record.measures.channels.iter();
    for agent in channels.filter(|side| call_type == CallType::VOICE && side.role == Role::Staff) {
        for (metric, value) in [
            (catalog::SILENCE, agent.silence),
            (catalog::SPEED, agent.speed),
            (catalog::RATIO, agent.ratio),
        ] {
            observe_as(metric, format!("{{{group}}}"), value);
        }
    }
}

fn add(series: &mut Series, name: String, value: f64) {
    *series.entry(name).or_default() += value;
}

fn observe(series: &mut Series, metric: Metric, labels: &str, value: Measure) {
    observe_named(series, metric.name, metric.bounds, labels, value);
}

fn observe_sum(series: &mut Series, name: &str, labels: &str, value: Measure) {
    assert_eq!(value.0 % 1000, 0, "a measure finer than a millionth");
    let millionths = value.0 / 1000;
    add(series, format!("{name}_sum{labels}"), millionths as f64);
    add(series, format!("{name}_count{labels}"), 1.0);
}

fn observe_named(series: &mut Series, name: &str, bounds: &[f64], labels: &str, value: Measure) {
    observe_sum(series, name, labels, value);
    let open = labels.trim_end_matches('}');
    for bound in bounds.iter().filter(|bound| value.units() <= **bound) {
        add(series, format!("{name}_bucket{open},le=\"{bound}\"}}"), 1.0);
    }
    add(series, format!("{name}_bucket{open},le=\"+Inf\"}}"), 1.0);
}

/// The nonzero counters and histograms of an exposition, without the target label.
pub(crate) fn counters(text: &str) -> Series {
    series(text)
        .into_iter()
        .filter(|(name, value)| {
            *value != 0.0
                && !name.starts_with("cec_window_")
                && !name.starts_with("cec_recent_")
                && !name.starts_with("cec_oldest_pending")
        })
        .collect()
}

/// All series of an exposition, without the target label.
pub(crate) fn series(text: &str) -> Series {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (without_target(name), value.parse().unwrap())
        })
        .collect()
}

fn without_target(name: &str) -> String {
    name.replace("target=\"t\",", "")
        .replace("{target=\"t\"}", "")
}

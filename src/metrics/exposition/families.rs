//! The families of call metrics, each with its part of the tallies.

use super::CallMetrics;
use super::series::Series;
use super::writer::Writer;
use crate::metrics::catalog::{self, Metric};
use crate::metrics::tallies::Tallies;
use crate::model::{ManualKind, Position};

/// A family of call metrics, with its part of the tallies.
pub(super) struct Family<W> {
    pub(super) metric: Metric,
    /// Whether the target has it.
    pub(super) is_enabled: fn(&Tallies) -> bool,
    pub(super) write_series: WriteSeries<W>,
}

/// Writes the series of one metric of one target.
pub(super) type WriteSeries<W> = fn(&mut Series<'_, W>, &CallMetrics);

/// All families, in the order of the exposition.
pub(super) fn families<W: Writer>() -> impl Iterator<Item = Family<W>> {
    let family = |is_enabled| {
        move |(metric, write_series)| Family {
            metric,
            is_enabled,
            write_series,
        }
    };
    let always = target_families().into_iter().map(family(|_| true));
    let of_teams = team_families().map(family(|tallies| tallies.teams.is_some()));
    let of_agents = agent_families().map(family(|tallies| tallies.agents.is_some()));
    let of_inspections =
        (inspection_families()).map(family(|tallies| !tallies.scenarios().is_empty()));
    (always.chain(of_teams))
        .chain(of_agents)
        .chain(of_inspections)
}

fn target_families<W: Writer>() -> [(Metric, WriteSeries<W>); 18] {
    [
        (catalog::WINDOW_CALLS, |out, calls| {
            for (call_type, position, count) in calls.tallies.window() {
                if let Position::In(status) = position {
                    out.value(&[&call_type, &status], count);
                }
            }
        }),
        (catalog::WINDOW_MISSING, |out, calls| {
            for (call_type, position, count) in calls.tallies.window() {
                if position == Position::Missing {
                    out.value(&[&call_type], count);
                }
            }
        }),
        (catalog::RECENT_CALLS, |out, calls| {
            out.by_label(&calls.recent)
        }),
        (catalog::OLDEST_PENDING, |out, calls| {
            for (call_type, status, uploaded) in &calls.oldest_pending {
                out.value(&[call_type, status], u64::from(*uploaded));
            }
        }),
        (catalog::SAMPLED, |out, calls| {
            out.manual_states(&calls.tallies, ManualKind::Inspect)
        }),
        (catalog::REVIEWED, |out, calls| {
            out.manual_states(&calls.tallies, ManualKind::Review)
        }),
        (catalog::APPEALED, |out, calls| {
            out.manual_states(&calls.tallies, ManualKind::Complain)
        }),
        (catalog::CALLS, |out, calls| {
            out.by_label(&calls.tallies.calls)
        }),
        (catalog::PROCESSED, |out, calls| {
            out.by_two_labels(&calls.tallies.processed)
        }),
        (catalog::EXPIRED, |out, calls| {
            out.by_two_labels(&calls.tallies.expired)
        }),
        (catalog::MISSING, |out, calls| {
            out.by_label(&calls.tallies.missing)
        }),
        (catalog::UNOBSERVED, |out, calls| {
            out.value(&[], calls.tallies.unobserved)
        }),
        (catalog::DURATION, |out, calls| {
            out.histograms(&calls.tallies.duration)
        }),
        (catalog::PROCESSING_TIME, |out, calls| {
            for ((call_type, outcome), histogram) in &calls.tallies.processing {
                out.histogram(&[call_type, outcome], histogram);
            }
        }),
        (catalog::LISTING_DELAY, |out, calls| {
            out.histogram(&[], &calls.tallies.listing_delay)
        }),
        (catalog::SILENCE, |out, calls| {
            out.histograms(&calls.tallies.silence)
        }),
        (catalog::SPEED, |out, calls| {
            out.histograms(&calls.tallies.speed)
        }),
        (catalog::RATIO, |out, calls| {
            out.histograms(&calls.tallies.ratio)
        }),
    ]
}

fn team_families<W: Writer>() -> [(Metric, WriteSeries<W>); 5] {
    [
        (catalog::TEAM_PROCESSED, |out, calls| {
            for (team, group) in calls.tallies.teams() {
                for ((call_type, status), count) in &group.processed {
                    out.value(&[&team, call_type, status], *count);
                }
            }
        }),
        (catalog::TEAM_DURATION, |out, calls| {
            for (team, group) in calls.tallies.teams() {
                for (call_type, histogram) in &group.duration {
                    out.histogram(&[&team, call_type], histogram);
                }
            }
        }),
        (catalog::TEAM_SILENCE, |out, calls| {
            for (team, group) in calls.tallies.teams() {
                out.histogram(&[&team], &group.silence);
            }
        }),
        (catalog::TEAM_SPEED, |out, calls| {
            for (team, group) in calls.tallies.teams() {
                out.histogram(&[&team], &group.speed);
            }
        }),
        (catalog::TEAM_RATIO, |out, calls| {
            for (team, group) in calls.tallies.teams() {
                out.histogram(&[&team], &group.ratio);
            }
        }),
    ]
}

fn agent_families<W: Writer>() -> [(Metric, WriteSeries<W>); 5] {
    [
        (catalog::AGENT_PROCESSED, |out, calls| {
            for (staff_id, group) in calls.tallies.agents() {
                for ((call_type, status), count) in &group.processed {
                    out.value(&[&staff_id, call_type, status], *count);
                }
            }
        }),
        (catalog::AGENT_DURATION, |out, calls| {
            for (staff_id, group) in calls.tallies.agents() {
                for (call_type, sum) in &group.duration {
                    out.summary(&[&staff_id, call_type], *sum);
                }
            }
        }),
        (catalog::AGENT_SILENCE, |out, calls| {
            for (staff_id, group) in calls.tallies.agents() {
                out.summary(&[&staff_id], group.silence);
            }
        }),
        (catalog::AGENT_SPEED, |out, calls| {
            for (staff_id, group) in calls.tallies.agents() {
                out.summary(&[&staff_id], group.speed);
            }
        }),
        (catalog::AGENT_RATIO, |out, calls| {
            for (staff_id, group) in calls.tallies.agents() {
                out.summary(&[&staff_id], group.ratio);
            }
        }),
    ]
}

fn inspection_families<W: Writer>() -> [(Metric, WriteSeries<W>); 2] {
    [
        (catalog::SCORE, |out, calls| {
            for scenario in calls.tallies.scenarios() {
                out.histogram(&[&scenario.label()], &scenario.score);
            }
        }),
        (catalog::RULES, |out, calls| {
            for scenario in calls.tallies.scenarios() {
                for rule in &scenario.rules {
                    let (name, kind) = (scenario.label(), rule.kind.label());
                    for (result, count) in [("kept", rule.kept), ("violated", rule.violated)] {
                        out.value(&[&name, &kind, &rule.label(), &result], count);
                    }
                }
            }
        }),
    ]
}

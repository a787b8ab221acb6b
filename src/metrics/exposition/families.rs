//! The families of call metrics, in their order, each with its part of the tallies.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::writer::{Labels, Observations, Value, Writer};
use super::{CallMetrics, TargetCallMetrics};
use crate::metrics::catalog::{self, Kind, Metric};
use crate::metrics::histogram::Histogram;
use crate::metrics::tallies::{Distribution, Group, Groups, Tallies};
use crate::model::{ManualKind, Measure, Position};

/// Writes the call metrics of these targets.
pub(super) fn call_metrics(writer: &mut impl Writer, targets: &[TargetCallMetrics<'_>]) {
    if targets.is_empty() {
        return;
    }
    let mut all = Families { writer, targets };
    all.family(catalog::WINDOW_CALLS, |out, calls| {
        for (call_type, position, count) in calls.tallies.window() {
            if let Position::In(status) = position {
                out.value(&[&call_type, &status], count);
            }
        }
    });
    all.family(catalog::WINDOW_MISSING, |out, calls| {
        for (call_type, position, count) in calls.tallies.window() {
            if position == Position::Missing {
                out.value(&[&call_type], count);
            }
        }
    });
    all.by_label(catalog::RECENT_CALLS, |calls| &calls.recent);
    all.family(catalog::OLDEST_PENDING, |out, calls| {
        for (call_type, status, uploaded) in &calls.oldest_pending {
            out.value(&[call_type, status], u64::from(*uploaded));
        }
    });
    for (metric, wanted) in [
        (catalog::SAMPLED, ManualKind::Sampled),
        (catalog::REVIEWED, ManualKind::Reviewed),
        (catalog::APPEALED, ManualKind::Appealed),
    ] {
        all.family(metric, |out, calls| {
            for ((kind, call_type, state), count) in &calls.tallies.manual_states {
                if *kind == wanted {
                    out.value(&[call_type, state], *count);
                }
            }
        });
    }
    all.by_label(catalog::CALLS, |calls| &calls.tallies.calls);
    all.by_two_labels(catalog::PROCESSED, |calls| &calls.tallies.processed);
    all.by_two_labels(catalog::EXPIRED, |calls| &calls.tallies.expired);
    all.by_label(catalog::MISSING, |calls| &calls.tallies.missing);
    all.family(catalog::UNOBSERVED, |out, calls| {
        out.value(&[], calls.tallies.unobserved)
    });
    all.histograms(catalog::DURATION, |tallies| &tallies.duration);
    all.family(catalog::PROCESSING_TIME, |out, calls| {
        for ((call_type, outcome), histogram) in &calls.tallies.processing {
            out.observations(&[call_type, outcome], histogram);
        }
    });
    all.family(catalog::LISTING_DELAY, |out, calls| {
        out.observations(&[], &calls.tallies.listing_delay);
    });
    all.histograms(catalog::SILENCE, |tallies| &tallies.silence);
    all.histograms(catalog::SPEED, |tallies| &tallies.speed);
    all.histograms(catalog::RATIO, |tallies| &tallies.ratio);
    all.groups(
        [
            catalog::TEAM_PROCESSED,
            catalog::TEAM_DURATION,
            catalog::TEAM_SILENCE,
            catalog::TEAM_SPEED,
            catalog::TEAM_RATIO,
        ],
        |tallies| tallies.teams.as_ref(),
    );
    all.groups(
        [
            catalog::AGENT_PROCESSED,
            catalog::AGENT_DURATION,
            catalog::AGENT_SILENCE,
            catalog::AGENT_SPEED,
            catalog::AGENT_RATIO,
        ],
        |tallies| tallies.agents.as_ref(),
    );
    if all.any(|tallies| !tallies.scenarios().is_empty()) {
        all.family(catalog::SCORE, |out, calls| {
            for scenario in calls.tallies.scenarios() {
                out.observations(&[&scenario.name.label], &scenario.score);
            }
        });
        all.family(catalog::RULES, |out, calls| {
            for scenario in calls.tallies.scenarios() {
                for rule in &scenario.rules {
                    let (name, kind) = (&scenario.name.label, rule.kind.label());
                    for (result, count) in [("kept", rule.kept), ("violated", rule.violated)] {
                        out.value(&[name, &kind, &rule.name.label, &result], count);
                    }
                }
            }
        });
    }
}

struct Families<'a, W> {
    writer: &'a mut W,
    targets: &'a [TargetCallMetrics<'a>],
}

impl<W: Writer> Families<'_, W> {
    fn any(&self, is_enabled: impl Fn(&Tallies) -> bool) -> bool {
        self.targets
            .iter()
            .any(|target| is_enabled(&target.calls.tallies))
    }

    /// Writes a family, with the series of each target.
    fn family(&mut self, metric: Metric, write: impl Fn(&mut Series<'_, W>, &CallMetrics)) {
        self.writer.family(metric.name, metric.kind, metric.help);
        for target in self.targets {
            // All gauges here describe the calls as of the last success.
            if target.is_stale && metric.kind == Kind::Gauge {
                continue;
            }
            let mut series = Series {
                writer: &mut *self.writer,
                names: metric.labels,
                target: target.target,
                created: target.calls.counted_from.map(f64::from),
            };
            write(&mut series, target.calls);
        }
    }

    fn by_label<A: Display>(
        &mut self,
        metric: Metric,
        of: impl Fn(&CallMetrics) -> &BTreeMap<A, u64>,
    ) {
        self.family(metric, |out, calls| {
            for (a, count) in of(calls) {
                out.value(&[a], *count);
            }
        });
    }

    fn by_two_labels<A: Display, B: Display>(
        &mut self,
        metric: Metric,
        of: impl Fn(&CallMetrics) -> &BTreeMap<(A, B), u64>,
    ) {
        self.family(metric, |out, calls| {
            for ((a, b), count) in of(calls) {
                out.value(&[a, b], *count);
            }
        });
    }

    fn histograms<A: Display>(
        &mut self,
        metric: Metric,
        of: impl Fn(&Tallies) -> &BTreeMap<A, Histogram>,
    ) {
        self.family(metric, |out, calls| {
            for (a, histogram) in of(&calls.tallies) {
                out.observations(&[a], histogram);
            }
        });
    }

    /// Writes the families of groups: processed calls, duration, silence, speed, ratio.
    fn groups<D: Distribution>(
        &mut self,
        [processed, duration, silence, speed, ratio]: [Metric; 5],
        groups: impl Fn(&Tallies) -> Option<&Groups<D>>,
    ) {
        if !self.any(|tallies| groups(tallies).is_some()) {
            return;
        }
        self.family(processed, |out, calls| {
            for (label, group) in each(groups(&calls.tallies)) {
                for ((call_type, status), count) in &group.processed {
                    out.value(&[&label, call_type, status], *count);
                }
            }
        });
        self.family(duration, |out, calls| {
            for (label, group) in each(groups(&calls.tallies)) {
                for (call_type, seen) in &group.duration {
                    out.observations(&[&label, call_type], seen);
                }
            }
        });
        let measures: [fn(&Group<D>) -> &D; 3] = [
            |group| &group.silence,
            |group| &group.speed,
            |group| &group.ratio,
        ];
        for (metric, measure) in [silence, speed, ratio].into_iter().zip(measures) {
            self.family(metric, |out, calls| {
                for (label, group) in each(groups(&calls.tallies)) {
                    out.observations(&[&label], measure(group));
                }
            });
        }
    }
}

fn each<D: Distribution>(groups: Option<&Groups<D>>) -> impl Iterator<Item = (&str, &Group<D>)> {
    groups.into_iter().flat_map(Groups::iter)
}

/// Writes series of one metric of one target.
struct Series<'a, W> {
    writer: &'a mut W,
    names: &'static [&'static str],
    target: &'a str,
    created: Option<f64>,
}

impl<W: Writer> Series<'_, W> {
    fn value(&mut self, values: &[&dyn Display], value: u64) {
        let labels = CallLabels(self.names, self.target, values);
        self.writer
            .value(&labels, Value::Integer(value), self.created);
    }

    fn observations(&mut self, values: &[&dyn Display], of: &impl Distribution) {
        let labels = CallLabels(self.names, self.target, values);
        let ((count, sum_billionths), histogram) = (of.total(), of.histogram());
        let seen = Observations {
            buckets: &mut histogram.into_iter().flat_map(Histogram::buckets),
            sum: Measure::sum_units(sum_billionths),
            count,
            native: histogram.map(|histogram| &histogram.native),
            exemplars: histogram.map_or(&[], |histogram| &histogram.exemplars),
        };
        self.writer.observations(&labels, seen, self.created);
    }
}

/// The names of the labels of a call metric, and their values. The first one is always the target.
struct CallLabels<'a>(&'static [&'static str], &'a str, &'a [&'a dyn Display]);

impl Labels for CallLabels<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &dyn Display)) {
        let Self(names, target, values) = self;
        visit(names[0], target);
        for (name, value) in names[1..].iter().zip(*values) {
            visit(name, value);
        }
    }
}

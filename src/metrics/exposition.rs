//! Prometheus's text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use prometheus::proto::{self, MetricFamily, MetricType};

use super::catalog::{self, Metric};
use super::histogram::Histogram;
use super::tallies::{OldestPending, Tallies};
use crate::model::Role;

/// The call metrics of one target, as they are published.
#[derive(Clone, PartialEq, Debug)]
pub struct CallMetrics {
    /// Counters, histograms and window gauges.
    pub tallies: Tallies,
    /// Oldest call by type and status.
    pub oldest_pending: OldestPending,
}

/// Which of the exporter's own series belong to an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Own<'a> {
    /// Those of any of these targets, and those that are of no target.
    With(&'a [&'a str]),
    /// Those of this target alone.
    Only(&'a str),
}

impl Own<'_> {
    fn has(&self, target: Option<&str>) -> bool {
        match (self, target) {
            (Self::With(names), Some(target)) => names.contains(&target),
            (Self::With(_), None) => true,
            (Self::Only(name), target) => target == Some(*name),
        }
    }
}

/// Writes a whole answer: the call metrics of the targets that have some, then the exporter's own.
pub fn render(targets: &[(&str, &CallMetrics)], own: &[MetricFamily], which: Own<'_>) -> String {
    let mut text = Text {
        out: String::with_capacity(16 * 1024 * (1 + targets.len())),
    };
    if !targets.is_empty() {
        for (metric, series) in CALLS {
            text.head(metric.name, metric.kind.name(), metric.help);
            for (target, calls) in targets {
                series(
                    &mut Series {
                        text: &mut text,
                        metric,
                        target,
                    },
                    calls,
                );
            }
        }
    }
    for family in own {
        text.gathered(family, which);
    }
    text.out
}

/// Writes the series of one metric and one target.
type WriteSeries = fn(&mut Series<'_>, &CallMetrics);

/// Which part of the tallies each call metric shows.
const CALLS: &[(Metric, WriteSeries)] = &[
    (catalog::WINDOW_CALLS, |out, calls| {
        out.by_two(&calls.tallies.window)
    }),
    (catalog::OLDEST_PENDING, |out, calls| {
        for (call_type, status, uploaded) in &calls.oldest_pending {
            out.value(&[call_type, status], uploaded);
        }
    }),
    (catalog::CALLS, |out, calls| {
        out.by_one(&calls.tallies.calls)
    }),
    (catalog::PROCESSED, |out, calls| {
        out.by_two(&calls.tallies.processed)
    }),
    (catalog::EXPIRED, |out, calls| {
        out.by_two(&calls.tallies.expired)
    }),
    (catalog::DURATION, |out, calls| {
        for (call_type, histogram) in &calls.tallies.duration {
            out.histogram(&[call_type], histogram);
        }
    }),
    (catalog::PROCESSING_TIME, |out, calls| {
        for ((call_type, status), histogram) in &calls.tallies.processing {
            out.histogram(&[call_type, status], histogram);
        }
    }),
    (catalog::SILENCE, |out, calls| {
        out.by_role(&calls.tallies.silence)
    }),
    (catalog::SPEED, |out, calls| {
        out.by_role(&calls.tallies.speed)
    }),
    (catalog::RATIO, |out, calls| {
        out.by_role(&calls.tallies.ratio)
    }),
    (catalog::MANUAL, |out, calls| {
        out.by_two(&calls.tallies.manual)
    }),
];

/// The series of one metric and one target.
struct Series<'a> {
    text: &'a mut Text,
    metric: &'a Metric,
    target: &'a str,
}

impl Series<'_> {
    fn by_one<K: Display>(&mut self, values: &BTreeMap<K, u64>) {
        for (key, value) in values {
            self.value(&[key], value);
        }
    }

    fn by_two<A: Display, B: Display>(&mut self, values: &BTreeMap<(A, B), u64>) {
        for ((a, b), value) in values {
            self.value(&[a, b], value);
        }
    }

    fn by_role(&mut self, histograms: &BTreeMap<Role, Histogram>) {
        for (role, histogram) in histograms {
            self.histogram(&[role], histogram);
        }
    }

    fn value(&mut self, labels: &[&dyn Display], value: &dyn Display) {
        self.sample("", labels, None, value);
    }

    fn histogram(&mut self, labels: &[&dyn Display], histogram: &Histogram) {
        for (bound, count) in histogram.buckets() {
            self.sample("_bucket", labels, Some(bound), &count);
        }
        self.sample("_sum", labels, None, &histogram.sum());
        self.sample("_count", labels, None, &histogram.count());
    }

    /// One line. The first label of a call metric is always its target.
    fn sample(
        &mut self,
        suffix: &str,
        labels: &[&dyn Display],
        bound: Option<f64>,
        value: &dyn Display,
    ) {
        let names = self.metric.labels;
        self.text.name(self.metric.name, suffix);
        self.text.label(names[0], self.target);
        for (name, value) in names[1..].iter().zip(labels) {
            self.text.label(name, value);
        }
        if let Some(bound) = bound {
            self.text.label("le", Number(bound));
        }
        self.text.end(value);
    }
}

/// The text so far. Writing to a `String` cannot fail, so the results of `write!` are dropped.
struct Text {
    out: String,
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn name(&mut self, name: &str, suffix: &str) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        self.out.push('{');
    }

    fn label(&mut self, name: &str, value: impl Display) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        let _ = write!(self.out, "{name}=\"");
        let _ = write!(Escaped(&mut self.out), "{value}");
        self.out.push('"');
    }

    fn end(&mut self, value: impl Display) {
        if self.out.ends_with('{') {
            self.out.pop();
        } else {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    /// A family of the exporter's own registry, without the series that do not belong here.
    fn gathered(&mut self, family: &MetricFamily, which: Own<'_>) {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY => "summary",
            MetricType::UNTYPED => "untyped",
        };
        let mut series = family
            .get_metric()
            .iter()
            .filter(|m| which.has(target_of(m)))
            .peekable();
        if series.peek().is_none() {
            return;
        }
        self.head(family.name(), kind, family.help());
        for metric in series {
            let line = |text: &mut Self, suffix: &str, bound: Option<f64>, value: f64| {
                text.name(family.name(), suffix);
                for label in metric.get_label() {
                    text.label(label.name(), label.value());
                }
                if let Some(bound) = bound {
                    text.label("le", Number(bound));
                }
                text.end(Number(value));
            };
            match family.get_field_type() {
                MetricType::COUNTER => line(self, "", None, metric.get_counter().get_value()),
                MetricType::GAUGE => line(self, "", None, metric.get_gauge().get_value()),
                // The exporter has no metrics of the other types.
                _ => {
                    let histogram = metric.get_histogram();
                    for bucket in histogram.get_bucket() {
                        let count = bucket.cumulative_count() as f64;
                        line(self, "_bucket", Some(bucket.upper_bound()), count);
                    }
                    let count = histogram.get_sample_count() as f64;
                    line(self, "_bucket", Some(f64::INFINITY), count);
                    line(self, "_sum", None, histogram.get_sample_sum());
                    line(self, "_count", None, count);
                }
            }
        }
    }
}

fn target_of(metric: &proto::Metric) -> Option<&str> {
    metric
        .get_label()
        .iter()
        .find(|label| label.name() == "target")
        .map(|label| label.value())
}

/// A number as Prometheus spells it.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            number => number.fmt(f),
        }
    }
}

/// Escapes what is written as the value of a label.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(['\\', '"', '\n']) {
            let Some(special) = part
                .chars()
                .last()
                .filter(|c| matches!(c, '\\' | '"' | '\n'))
            else {
                self.0.push_str(part);
                continue;
            };
            self.0.push_str(&part[..part.len() - 1]);
            self.0.push('\\');
            self.0.push(if special == '\n' { 'n' } else { special });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exporter::{Build, ExporterMetrics, KnownLabels};
    use crate::model::{CallType, Event, Status};

    fn calls() -> CallMetrics {
        let mut tallies = Tallies::default();
        tallies.expect(
            &[CallType::TEXT],
            &[Status::SUCCEEDED, Status::from_number(0)],
        );
        tallies.apply(&Event::Appeared {
            call_type: CallType::TEXT,
            status: Status::from_number(0),
        });
        let oldest_pending = vec![(CallType::TEXT, Status::from_number(0), 1622633782)];
        CallMetrics {
            tallies,
            oldest_pending,
        }
    }

    #[test]
    fn labels_are_escaped() {
        let text = render(&[("a\"b\\c\nd", &calls())], &[], Own::With(&[]));
        let line = r#"cec_calls_total{target="a\"b\\c\nd",call_type="text"} 1"#;
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn every_family_has_one_head_and_its_series_follow_it() {
        let text = render(&[("a", &calls()), ("b", &calls())], &[], Own::With(&[]));
        let mut family = "";
        let mut heads = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("# HELP ") {
                Some(head) => {
                    family = head.split(' ').next().unwrap();
                    heads.push(family);
                }
                None => assert!(
                    line.starts_with("# TYPE ") || line.starts_with(family),
                    "{line}"
                ),
            }
        }
        let mut once = heads.clone();
        once.dedup();
        assert_eq!((heads.len(), once.len()), (CALLS.len(), CALLS.len()));
        assert!(text.contains("status=\"waiting\"} 1622633782\n"), "{text}");
    }

    #[test]
    fn a_target_is_shown_with_its_own_series_only() {
        let build = Build {
            version: "1",
            revision: "r",
            rustc: "c",
        };
        let own = ExporterMetrics::new(build).unwrap();
        for name in ["a", "b"] {
            own.target(name, &KnownLabels::default()).pulls.inc();
        }
        let gathered = own.gather();
        let both = render(&[], &gathered, Own::With(&["a", "b"]));
        let one = render(&[], &gathered, Own::With(&["b"]));
        let probe = render(&[], &gathered, Own::Only("b"));
        let lines = |text: &str, part: &str| text.lines().filter(|l| l.contains(part)).count();
        let pulls = "cec_exporter_pulls_total{";
        assert_eq!(
            [&both, &one, &probe].map(|text| lines(text, pulls)),
            [2, 1, 1]
        );
        let build = "cec_exporter_build_info{version=\"1\",revision";
        assert_eq!(
            [&both, &one, &probe].map(|text| lines(text, "build_info{")),
            [1, 1, 0],
            "{build}"
        );
        assert_eq!(
            [&one, &probe].map(|text| lines(text, "target=\"a\"")),
            [0, 0]
        );
        assert!(one.contains("process_start_time_seconds ") && !probe.contains("process_"));
        assert!(
            one.contains("cec_exporter_pull_duration_seconds_bucket{target=\"b\",le=\"+Inf\"} 0\n")
        );
    }
}
